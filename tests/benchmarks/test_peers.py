from pathlib import Path

import pytest
from benchmarks.service.contenders import FOLDER, PeerError, all_peers, chosen, described
from benchmarks.service.measuring import requests_for


def peer_file(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "some" / "peer.toml"
    file.parent.mkdir()
    file.write_text(text)
    return file


def test_every_folder_of_peers_is_described() -> None:
    folders = {file.parent.name for file in FOLDER.glob("*/*") if file.suffix != ".pyc"}

    assert {peer.folder.name for peer in all_peers()} == folders
    assert len({peer.name for peer in all_peers()}) == len(all_peers())


def test_what_is_not_said_has_its_default(tmp_path: Path) -> None:
    (peer,) = described(
        peer_file(tmp_path, 'title = "Some"\nkind = "python"\ncommand = ["x", "{port}"]')
    )

    assert (peer.name, peer.items, peer.paths["create"]) == ("some", "items", "/posts")
    assert not peer.ours


def test_variants_are_peers_of_their_own(tmp_path: Path) -> None:
    text = """
        title = "Some"
        kind = "kingpost"
        command = ["x"]
        environment = { A = "1", B = "1" }
        [variants.one]
        environment = { B = "2" }
        [variants.two]
        title = "Other"
    """
    one, two = described(peer_file(tmp_path, text))

    assert (one.name, one.title, one.environment) == ("some-one", "Some", {"A": "1", "B": "2"})
    assert (two.name, two.title) == ("some-two", "Other")
    assert chosen([one, two], "some") == [one, two]
    assert chosen([one, two], "some-two") == [two]


@pytest.mark.parametrize("text", ["title = ", 'title = "Some"', "variants = 3"])
def test_a_wrong_description_names_its_file(tmp_path: Path, text: str) -> None:
    with pytest.raises(PeerError, match=r"some/peer\.toml"):
        described(peer_file(tmp_path, text))


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(PeerError, match="starlette"):
        chosen(all_peers(), "kingpost,flask")


def test_requests_are_spread_over_the_users_and_posts_have_bodies() -> None:
    made = requests_for({"user": "/u/{id}", "page": "/p", "create": "/c"}, ["1", "2"])

    assert [one.path for one in made["user"]] == ["/u/1", "/u/2"]
    assert all(one.body and "\n" not in one.body for one in made["create"])
