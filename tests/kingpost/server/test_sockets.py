import functools
import pickle
import socket

import pytest

from kingpost.server import BindError, PortTaken, Server, State
from kingpost.server.sockets import bind, open_ports, port_of
from kingpost.settings import ServiceSettings


def test_a_taken_port_is_one_line_with_the_way_out():
    with bind("127.0.0.1", 0) as other:
        with pytest.raises(PortTaken) as caught:
            bind("127.0.0.1", port_of(other))

        assert str(port_of(other)) in str(caught.value)
        assert "APP_PORT" in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_taken_operations_port_frees_the_other_one():
    with bind("127.0.0.1", 0) as other, bind("127.0.0.1", 0) as probe:
        free = port_of(probe)
        probe.close()
        settings = ServiceSettings(port=free, ops_port=port_of(other))

        with pytest.raises(PortTaken, match="APP_OPS_PORT"):
            Server(None, settings=settings).bind()
        bind("127.0.0.1", free).close()


def test_inherited_ports_are_taken_only_if_they_are_the_wanted_ones():
    with bind("127.0.0.1", 0) as api, bind("127.0.0.1", 0) as operations:
        settings = ServiceSettings(port=port_of(api), ops_port=port_of(operations))

        assert open_ports(settings, inherited=[api, operations]) == [api, operations]
        with pytest.raises(BindError) as caught:
            open_ports(settings, "BILLS_", inherited=[api.dup()])

    told = str(caught.value)
    assert f"listens on 127.0.0.1:{settings.port}, this one wants" in told
    assert f"127.0.0.1:{settings.port} and 127.0.0.1:{settings.ops_port}: set BILLS_HOST" in told


def test_port_0_takes_a_free_port():
    with bind("127.0.0.1", 0) as listener:
        assert port_of(listener) > 0


@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.1"])
def test_a_host_that_is_not_here_is_one_line(host):
    with pytest.raises(BindError) as caught:
        bind(host, 0)

    assert host in str(caught.value)
    assert not isinstance(caught.value, PortTaken)


def test_localhost_is_ipv4_where_there_is_a_choice():
    with bind("localhost", 0) as listener:
        assert listener.family is socket.AF_INET


def test_a_server_can_be_pickled_for_reloading():
    settings = ServiceSettings(port=0, ops_port=0, allowed_hosts="a.example")
    written = pickle.dumps(Server("somewhere:create_app", settings=settings))
    server = pickle.loads(written)  # noqa: S301 - our own bytes

    assert server.config.app == "somewhere:create_app"
    assert server.config.limits.hosts == {"a.example"}
    assert server.settings == settings


def factory(settings: ServiceSettings) -> State:
    return State(checks={settings.host: None})  # type: ignore[dict-item]  # only looked at


@pytest.mark.parametrize(
    "given",
    [factory, functools.partial(State), State()],
    ids=["takes settings", "takes nothing", "made"],
)
def test_an_application_is_given_or_made(given):
    from kingpost.server.configuration import _made

    assert isinstance(_made(given, ServiceSettings()), State)


def test_forwarded_headers_are_believed_only_when_asked():
    believed = [
        Server(None, settings=ServiceSettings(trusted_proxies=trusted)).config
        for trusted in (None, "10.0.0.1")
    ]

    assert [config.proxy_headers for config in believed] == [False, True]
    assert believed[1].forwarded_allow_ips == "10.0.0.1"
