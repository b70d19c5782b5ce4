from kingpost.observability.fingerprint import fingerprint, type_name


def fail(message):
    raise ValueError(message)


def caught(action):
    try:
        action()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is looked at
        return error
    raise AssertionError("it did not fail")


def wrapped():
    try:
        fail("a")
    except ValueError as error:
        raise RuntimeError("b") from error


def test_other_input_is_the_same_error():
    def once(message):
        return caught(lambda: fail(message))

    assert fingerprint(once("a")) == fingerprint(once("b"))


def test_another_place_type_or_cause_is_another_error():
    errors = [caught(lambda: fail("a")), caught(wrapped), caught(lambda: {}[1]), ValueError()]

    assert len({fingerprint(error) for error in errors}) == len(errors)


def test_a_circle_of_causes_ends():
    error = ValueError()
    other = ValueError()
    error.__cause__, other.__cause__ = other, error

    assert len(fingerprint(error)) == 12


def test_a_type_is_named_with_its_module():
    import json

    assert type_name(ValueError()) == "ValueError"
    assert type_name(caught(lambda: json.loads("{"))) == "json.decoder.JSONDecodeError"
