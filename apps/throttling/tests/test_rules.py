"""The decisions about client addresses and waiting times, without any server."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.throttling.rules import UNKNOWN_ADDRESS, client_network, retry_after_seconds

PEER = "10.0.0.9"
ipv4 = st.ip_addresses(v=4).map(str)
# What a client can put into its own header: anything without a line break.
lies = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=200)


def network(header: str, hops: int, peer: str = PEER) -> str:
    return client_network(forwarded_for=header, peer=peer, trusted_hops=hops)


def test_the_address_that_the_only_proxy_saw_is_the_clients() -> None:
    assert network("203.0.113.7", 1) == "203.0.113.7"


def test_of_two_proxies_the_outer_ones_entry_counts() -> None:
    assert network("203.0.113.7, 10.0.0.1", 2) == "203.0.113.7"


@given(lie=lies, client=ipv4)
def test_a_spoofed_header_changes_nothing_behind_one_proxy(lie: str, client: str) -> None:
    assert network(f"{lie}, {client}", 1) == client


@given(lie=lies, client=ipv4, hops=st.integers(1, 4))
def test_a_spoofed_header_changes_nothing_behind_many_proxies(lie: str, client: str, hops: int) -> None:
    trail = [client] + [f"10.0.0.{n}" for n in range(1, hops)]
    assert network(", ".join([lie, *trail]), hops) == network(", ".join(trail), hops) == client


@given(lie=lies)
def test_without_a_trusted_proxy_the_header_is_not_read(lie: str) -> None:
    assert network(lie, 0) == PEER


@given(entries=st.lists(ipv4, max_size=3), hops=st.integers(1, 6))
def test_a_header_with_fewer_entries_than_proxies_is_not_believed(entries: list[str], hops: int) -> None:
    answer = network(", ".join(entries), hops)
    assert answer == (PEER if len(entries) < hops else entries[-hops])


@given(header=lies, peer=lies, hops=st.integers(0, 5))
def test_no_header_whatsoever_raises(header: str, peer: str, hops: int) -> None:
    assert network(header, hops, peer)


@pytest.mark.parametrize(
    "garbage", ["unknown", "_hidden", "for=1.2.3.4", "999.1.1.1", "1.2.3", "", "[", "::1::", "[]:1"]
)
def test_an_entry_that_is_no_address_falls_back_to_the_connection(garbage: str) -> None:
    assert network(f"198.51.100.1, {garbage}", 1) == PEER


def test_a_connection_without_an_address_has_one_bucket() -> None:
    assert network("", 1, peer="") == UNKNOWN_ADDRESS


@given(high=st.integers(2**61, 2**62), low_one=st.integers(0, 2**64 - 1), low_two=st.integers(0, 2**64 - 1))
def test_all_addresses_of_one_ipv6_network_are_one_client(high: int, low_one: int, low_two: int) -> None:
    from ipaddress import IPv6Address

    one, two = (str(IPv6Address((high << 64) + low)) for low in (low_one, low_two))
    assert network(one, 1) == network(two, 1) == str(IPv6Address(high << 64))


def test_two_ipv6_networks_are_two_clients() -> None:
    assert network("2001:db8:0:1::1", 1) != network("2001:db8:0:2::1", 1)


@pytest.mark.parametrize(
    "spelling", ["203.0.113.7", " 203.0.113.7 ", "203.0.113.7:4711", "::ffff:203.0.113.7"]
)
def test_one_ipv4_address_is_one_client_however_it_is_spelt(spelling: str) -> None:
    assert network(spelling, 1) == "203.0.113.7"


@pytest.mark.parametrize(
    "spelling", ["2001:DB8::1", "[2001:db8::1]", "[2001:db8:0::1]:443", "2001:db8::1%eth0"]
)
def test_one_ipv6_address_is_one_client_however_it_is_spelt(spelling: str) -> None:
    assert network(spelling, 1) == "2001:db8::"


def test_the_wait_ends_when_the_oldest_event_has_left_the_window() -> None:
    assert retry_after_seconds(reset_at=107.2, now=100.0, window_seconds=60) == 8


def test_an_event_that_leaves_on_the_second_still_counts_on_it() -> None:
    assert retry_after_seconds(reset_at=107.0, now=100.0, window_seconds=60) == 8


@given(reset=st.floats(-1e6, 1e6), now=st.floats(-1e6, 1e6), window=st.sampled_from([1, 60, 3600, 86_400]))
def test_the_wait_is_at_least_a_second_and_at_most_the_window(reset: float, now: float, window: int) -> None:
    assert 1 <= retry_after_seconds(reset_at=reset, now=now, window_seconds=window) <= window
