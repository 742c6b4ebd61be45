#!/usr/bin/env python3
"""Prints json_golden.inc: what Python's json writes. Run by hand when the table grows:

    /usr/bin/python3 tests/unit/core/json/json_golden.py > tests/unit/core/json/json_golden.inc
"""
import json
import struct

FLOATS = """0.0 -0.0 1.0 -1.0 0.1 0.2 0.3 1.5 100000.0 123456.789 0.0001 0.00012345 0.00001 1e-05
1.5e-05 1e-07 9.5e-07 1e15 1e16 1e17 1.2e17 123456789012345.6 1234567890123456.7 12345678901234567.0
9007199254740991.0 9007199254740992.0 9007199254740993.0 9999999999999998.0 9999999999999999.0 1e21
1e22 1e23 1e100 1e-100 5e-324 1e-323 2.2250738585072014e-308 2.225073858507201e-308
1.7976931348623157e+308 3.141592653589793 2.718281828459045 0.3333333333333333 1e-4 9.999e-5 4.35
1e5 1234.5678 5e-05 299792458.0 6.02214076e+23 1.602176634e-19 nan inf -inf""".split()

TEXTS = ["", "plain", 'quote " and \\ back', "\b\f\n\r\t", "\x00\x01\x1f", "\x7f", "~", "é", "ÿ",
         "Ā", "߿", "ࠀ", "€", "\ud7ff", "\ue000", "\uffff", "𐀀", "😀", "\U0010ffff", "\ud800", "\udfff",
         "a\udc80b", "/", "\u2028\u2029", "twelve plain", "exactly8", "seven7!" + "é", "x" * 600 + '"' + "é" * 300,
         '{"method": "foo", "args": {"a": "b\\"c"}}']


def c_bytes(data):
    return '"' + "".join("\\%03o" % b for b in data) + '"'


def rows(items, per_line):
    for i in range(0, len(items), per_line):
        print("    " + " ".join(items[i:i + per_line]))


def random_doubles(count):
    """splitmix64 bit patterns; NaNs and infinities are skipped."""
    state = 0x6f736c6f
    mask = (1 << 64) - 1
    while count:
        state = (state + 0x9e3779b97f4a7c15) & mask
        z = state
        z = ((z ^ (z >> 30)) * 0xbf58476d1ce4e5b9) & mask
        z = ((z ^ (z >> 27)) * 0x94d049bb133111eb) & mask
        z ^= z >> 31
        if count % 2 == 0:  # every other one in a range that is written without exponent
            z = (z & 0x800fffffffffffff) | ((1023 - 14 + (z >> 52) % 68) << 52)
        if (z >> 52) & 0x7ff == 0x7ff:
            continue
        yield struct.unpack("<d", struct.pack("<Q", z))[0]
        count -= 1


def main():
    print("// clang-format off")
    print("// Made by: /usr/bin/python3 tests/unit/core/json/json_golden.py")
    print("constexpr float_case python_floats[] = {")
    for text in FLOATS:
        v = float(text)
        bits = struct.unpack("<Q", struct.pack("<d", v))[0]
        print('    {0x%016x, "%s"},' % (bits, json.dumps(v)))
    print("};")
    print("// (text as UTF-8, lone surrogates in three bytes; what json.dumps writes)")
    print("constexpr text_case python_texts[] = {")
    for text in TEXTS:
        raw = text.encode("utf-8", "surrogatepass")
        print('    {{%s, %d}, R"~(%s)~"},' % (c_bytes(raw), len(raw), json.dumps(text)))
    print("};")
    print("// FNV-1a of each 1,000 of 10,000 doubles, each written and followed by a line feed.")
    print("constexpr std::uint64_t python_double_hashes[] = {")
    hashes, h = [], 0xcbf29ce484222325
    for i, v in enumerate(random_doubles(10000), 1):
        for b in (json.dumps(v) + "\n").encode():
            h = ((h ^ b) * 0x100000001b3) & ((1 << 64) - 1)
        if i % 1000 == 0:
            hashes.append("0x%016x," % h)
    rows(hashes, 4)
    print("};")


main()
