"""unlzma.c symbol by symbol, for streams on whose end liblzma and the small decoder do not agree.

Slow: some 150 KiB of payload a second. liblzma has the first word, and all of an intact stream.
"""

from __future__ import annotations

from pvgrub_sim.xen.packed import PayloadDamaged

CORRUPT = "LZMA data is corrupt"
HEADER = 13
BEYOND = 32
"""Bytes that one symbol may read behind the end of the payload, at the most."""
START_BYTES = 5
TOP = 1 << 24
"""The range below which the next byte is taken in (RC_TOP_BITS)."""
MODEL_BITS, MOVE_BITS, EVEN = 11, 5, 1 << 10
STATES, POSITION_STATES = 12, 16
LITERAL_STATES = 7
LITERAL_CODERS = 0x300
SHORTEST_MATCH = 2
LENGTH_STATES = 4
FIRST_SPECIAL_SLOT, FIRST_DIRECT_SLOT = 4, 14
ALIGN_BITS = 4


class _RangeDecoder:
    """struct rc.

    QUIRK: behind the end of its input rc_read() begins anew, so each byte there is the payload's first.
    """

    def __init__(self, payload: bytes) -> None:
        self.data = payload + payload[:1] * BEYOND
        self.at = HEADER + START_BYTES
        # QUIRK: the first byte is passed over, whatever it is.
        self.code = int.from_bytes(self.data[HEADER + 1 : self.at], "big")
        self.range = 0xFFFFFFFF

    def _normalize(self) -> None:
        self.range = self.range << 8
        self.code = (self.code << 8 | self.data[self.at]) & 0xFFFFFFFF
        self.at += 1

    def bit(self, probabilities: list[int], index: int) -> int:
        """The next bit, by the probability there, which learns from it (rc_get_bit(), rc_is_bit_0() and so on)."""
        if self.range < TOP:
            self._normalize()
        probability = probabilities[index]
        bound = (self.range >> MODEL_BITS) * probability
        if self.code < bound:
            self.range = bound
            probabilities[index] = probability + ((1 << MODEL_BITS) - probability >> MOVE_BITS)
            return 0
        self.range -= bound
        self.code -= bound
        probabilities[index] = probability - (probability >> MOVE_BITS)
        return 1

    def direct_bit(self) -> int:
        """The next bit of even odds (rc_direct_bit())."""
        if self.range < TOP:
            self._normalize()
        self.range >>= 1
        if self.code < self.range:
            return 0
        self.code -= self.range
        return 1

    def tree(self, probabilities: list[int], bits: int) -> int:
        """So many bits, the highest first (rc_bit_tree_decode())."""
        node = 1
        for _ in range(bits):
            node = node << 1 | self.bit(probabilities, node)
        return node - (1 << bits)

    def reverse_tree(self, probabilities: list[int], base: int, bits: int) -> int:
        """So many bits, the lowest first; base: where the node 0 would be."""
        node, value = 1, 0
        for place in range(bits):
            bit = self.bit(probabilities, base + node)
            node = node << 1 | bit
            value |= bit << place
        return value


class _Lengths:
    """Match lengths, less the shortest one."""

    def __init__(self) -> None:
        self.choice = [EVEN] * 2
        self.low = [[EVEN] * 8 for _ in range(POSITION_STATES)]
        self.middle = [[EVEN] * 8 for _ in range(POSITION_STATES)]
        self.high = [EVEN] * 256

    def read(self, coder: _RangeDecoder, position_state: int) -> int:
        """The next length."""
        if not coder.bit(self.choice, 0):
            return coder.tree(self.low[position_state], 3)
        if not coder.bit(self.choice, 1):
            return 8 + coder.tree(self.middle[position_state], 3)
        return 16 + coder.tree(self.high, 8)


class _Distances:
    """Match distances; 0 is the end marker."""

    def __init__(self) -> None:
        self.slots = [[EVEN] * 64 for _ in range(LENGTH_STATES)]
        self.special = [EVEN] * 128
        self.align = [EVEN] * (1 << ALIGN_BITS)

    def read(self, coder: _RangeDecoder, length: int) -> int:
        """The distance of a match of that length, less the shortest."""
        slot = coder.tree(self.slots[min(length, LENGTH_STATES - 1)], 6)
        if slot < FIRST_SPECIAL_SLOT:
            return slot + 1
        bits = (slot >> 1) - 1
        value = 2 | slot & 1
        if slot < FIRST_DIRECT_SLOT:
            base = (value << bits) - slot - 1
            return (value << bits | coder.reverse_tree(self.special, base, bits)) + 1
        for _ in range(bits - ALIGN_BITS):
            value = value << 1 | coder.direct_bit()
        return (value << ALIGN_BITS | coder.reverse_tree(self.align, 0, ALIGN_BITS)) + 1 & 0xFFFFFFFF


class _Decoder:
    """One stream on its way (unlzma(), process_bit0(), process_bit1())."""

    def __init__(self, payload: bytes) -> None:
        self.end = len(payload)
        self.coder = _RangeDecoder(payload)
        properties, self.literal_context = divmod(payload[0], 9)
        position_bits, literal_bits = divmod(properties, 5)
        self.position_mask = (1 << position_bits) - 1
        self.literal_mask = (1 << literal_bits) - 1
        self.dictionary = int.from_bytes(payload[1:5], "little") or 1
        self.size = int.from_bytes(payload[5:HEADER], "little")
        self.out = bytearray()
        self.state = 0
        self.distances = [1, 1, 1, 1]
        """The last four, the latest first (rep0 to rep3)."""
        self.is_match = [EVEN] * (STATES * POSITION_STATES)
        self.is_longer = [EVEN] * (STATES * POSITION_STATES)
        self.is_repeated, self.is_older, self.is_second, self.is_third = ([EVEN] * STATES for _ in range(4))
        self.literals: dict[int, list[int]] = {}
        self.new_lengths, self.repeated_lengths = _Lengths(), _Lengths()
        self.new_distances = _Distances()

    def decode(self, limit: int) -> bytearray:
        """All that comes out; raises PayloadDamaged, also beyond limit bytes."""
        out = self.out
        while len(out) < self.size:
            position_state = len(out) & self.position_mask
            if not self.coder.bit(self.is_match, self.state * POSITION_STATES + position_state):
                self._literal()
            else:
                length = self._match(position_state)
                # QUIRK: the end marker ends the stream wherever it stands, and nothing behind it is looked at.
                if not self.distances[0]:
                    break
                self._copy(length)
            # QUIRK: the symbol in which the input ends is still taken in.
            if self.coder.at > self.end:
                raise PayloadDamaged("unexpected EOF")
            if len(out) > limit:
                raise PayloadDamaged(CORRUPT)
        return out

    def _literal(self) -> None:
        out, coder = self.out, self.coder
        before = out[-1] if out else 0
        context = (len(out) & self.literal_mask) << self.literal_context | before >> 8 - self.literal_context
        probabilities = self.literals.setdefault(context, [])
        if not probabilities:
            probabilities.extend([EVEN] * LITERAL_CODERS)
        node = 1
        if self.state >= LITERAL_STATES:
            matched = out[self._from()] << 1
            while node < 0x100:
                expected = matched & 0x100
                bit = coder.bit(probabilities, 0x100 + expected + node)
                node = node << 1 | bit
                matched <<= 1
                if bit != expected >> 8:
                    break
        while node < 0x100:
            node = node << 1 | coder.bit(probabilities, node)
        out.append(node & 0xFF)
        self.state = max(self.state - (3 if self.state < 10 else 6), 0)

    def _match(self, position_state: int) -> int:
        """The length of a match, whose distance becomes the latest."""
        coder, state, last = self.coder, self.state, self.distances
        literal = state < LITERAL_STATES
        if not coder.bit(self.is_repeated, state):
            self.state = 7 if literal else 10
            length = self.new_lengths.read(coder, position_state)
            last.insert(0, self.new_distances.read(coder, length))
            last.pop()
            if last[0] > self.dictionary:
                raise PayloadDamaged(CORRUPT)
            return length + SHORTEST_MATCH
        if not coder.bit(self.is_older, state):
            if not coder.bit(self.is_longer, state * POSITION_STATES + position_state):
                self.state = 9 if literal else 11
                return 1
        elif not coder.bit(self.is_second, state):
            last.insert(0, last.pop(1))
        else:
            last.insert(0, last.pop(3 if coder.bit(self.is_third, state) else 2))
        self.state = 8 if literal else 11
        return self.repeated_lengths.read(coder, position_state) + SHORTEST_MATCH

    def _from(self) -> int:
        """Where the latest distance leads; raises PayloadDamaged before the beginning, where nothing is."""
        at = len(self.out) - self.distances[0]
        if at < 0:
            raise PayloadDamaged(CORRUPT)
        return at

    def _copy(self, length: int) -> None:
        out, start = self.out, self._from()
        # QUIRK: a match that runs over the announced size is damage, or completed where the window is not larger.
        if self.dictionary > self.size and len(out) + length > self.size:
            raise PayloadDamaged(CORRUPT)
        pattern = out[start : start + length]
        while len(pattern) < length:
            pattern += pattern[: length - len(pattern)]
        out += pattern


def decode(payload: bytes, limit: int) -> bytearray:
    """Unpack an lzma file of more than a header.

    limit: bytes that may come out. Raises PayloadDamaged.
    """
    if payload[0] >= 9 * 5 * 5:
        raise PayloadDamaged("bad header")
    return _Decoder(payload).decode(limit)
