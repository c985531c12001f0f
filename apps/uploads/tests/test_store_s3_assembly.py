"""How parts are cut into the pieces of one object: pure, and within S3's limits for any parts."""

from hypothesis import given
from hypothesis import strategies as st

from apps.uploads.stores.s3_assembly import MOST_BYTES, MOST_COPY_BYTES, Piece, least_piece_bytes, pieces
from apps.uploads.stores.s3_writer import LEAST_PIECE_BYTES, MOST_PIECES, piece_bytes

MIB, GIB, TIB = 2**20, 2**30, 2**40
S3_MOST_COPY_BYTES = 5 * GIB


def cut(*sizes: int) -> list[Piece]:
    return list(pieces(sizes, least_piece_bytes(sum(sizes))))


def lengths(found: list[Piece]) -> list[tuple[int, bool]]:
    return [(piece.length, piece.copied) for piece in found]


def test_parts_that_are_large_enough_are_copied_whole() -> None:
    assert lengths(cut(16 * MIB, 5 * MIB, 7 * MIB)) == [(16 * MIB, True), (5 * MIB, True), (7 * MIB, True)]


def test_small_parts_go_through_memory_together() -> None:
    assert lengths(cut(*[MIB] * 12)) == [(5 * MIB, False), (5 * MIB, False), (2 * MIB, False)]


def test_the_rest_of_a_large_part_that_fills_a_small_one_up_is_still_copied() -> None:
    assert lengths(cut(1, 16 * MIB)) == [(5 * MIB, False), (11 * MIB + 1, True)]


def test_a_small_last_part_may_be_a_piece_of_its_own() -> None:
    assert lengths(cut(16 * MIB, 1)) == [(16 * MIB, True), (1, False)]


def test_a_part_larger_than_one_copy_may_be_is_copied_in_several() -> None:
    found = cut(2 * MOST_COPY_BYTES + 1)
    assert all(piece.copied for piece in found)
    assert sum(piece.length for piece in found) == 2 * MOST_COPY_BYTES + 1
    assert min(piece.length for piece in found) >= LEAST_PIECE_BYTES


def test_no_parts_have_no_pieces() -> None:
    assert cut() == []


def test_a_file_of_many_small_parts_stays_within_the_number_of_pieces() -> None:
    """100 GiB from a slow sender: a part every two seconds."""
    assert len(cut(*[2 * MIB] * 51_200)) <= MOST_PIECES


def test_the_largest_file_takes_little_memory() -> None:
    assert least_piece_bytes(MOST_BYTES) <= 64 * MIB
    assert MOST_BYTES > 600 * GIB


size = st.one_of(
    st.integers(1, 100), st.integers(LEAST_PIECE_BYTES - 3, LEAST_PIECE_BYTES + 3), st.integers(1, 20 * GIB)
)


@given(st.lists(size, max_size=40), st.sampled_from([LEAST_PIECE_BYTES, 11 * MIB, 64 * MIB]))
def test_any_parts_are_cut_within_the_limits_of_s3_and_no_byte_is_lost(sizes: list[int], least: int) -> None:
    found = list(pieces(sizes, least))
    expected = 0
    starts = [sum(sizes[:part]) for part in range(len(sizes))]
    for number, piece in enumerate(found):
        for run in piece.runs:
            assert starts[run.part] + run.first == expected
            assert run.first + run.length <= sizes[run.part]
            expected += run.length
        assert piece.length >= least or number == len(found) - 1
        assert piece.length <= S3_MOST_COPY_BYTES if piece.copied else piece.length <= least
        assert len(piece.runs) == 1 or not piece.copied
    assert expected == sum(sizes)


def test_the_pieces_of_a_stream_grow_slowly_and_hold_a_large_file() -> None:
    assert piece_bytes(1) == LEAST_PIECE_BYTES
    assert sum(piece_bytes(number) for number in range(1, MOST_PIECES + 1)) > 200 * GIB
    assert max(piece_bytes(number) for number in range(1, MOST_PIECES + 1)) <= 32 * MIB
