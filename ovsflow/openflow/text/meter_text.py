"""Meters as text: `meter=1,kbps,burst,bands=type=drop,rate=1000,burst_size=100`."""

from dataclasses import replace

from ovsflow.openflow.constants import MeterBandType, MeterFlag, MeterModCommand, MeterNumber
from ovsflow.openflow.meter_stats import MeterConfig
from ovsflow.openflow.modify import MeterBand, MeterMod
from ovsflow.openflow.text.scan import Piece, bad
from ovsflow.openflow.text.values import small, wide

FLAGS = {
    "kbps": MeterFlag.KBPS,
    "pktps": MeterFlag.PKTPS,
    "burst": MeterFlag.BURST,
    "stats": MeterFlag.STATS,
}
BAND_TYPES = {"drop": MeterBandType.DROP, "dscp_remark": MeterBandType.DSCP_REMARK}
_NUMBERS = {
    "all": MeterNumber.ALL,
    "controller": MeterNumber.CONTROLLER,
    "slowpath": MeterNumber.SLOWPATH,
}
_SEPARATORS = "=, \t\r\n"
_COMMAND_WORDS = {
    MeterModCommand.ADD: "ADD",
    MeterModCommand.MODIFY: "MOD",
    MeterModCommand.DELETE: "DEL",
}


def parse_meter_line(
    piece: Piece, command: MeterModCommand | None = MeterModCommand.ADD
) -> MeterMod:
    """Reads a meter modification; with `command` `None` only which meter is meant."""
    whole = command in (MeterModCommand.ADD, MeterModCommand.MODIFY)
    head, bands = _split(piece) if whole else (piece, None)
    meter, flags = _head(head, whole)
    if meter is None:
        raise bad(piece, "must specify 'meter'")
    if whole and not flags:
        raise bad(piece, "meter must specify either 'kbps' or 'pktps'")
    found = () if bands is None else _bands(bands, flags)
    return MeterMod(MeterModCommand.ADD if command is None else command, flags, meter, found)


def _split(piece: Piece) -> tuple[Piece, Piece]:
    at = piece.text.find("band")
    equals = piece.text.find("=", at + 1)
    if at < 0 or equals < 0:
        raise bad(piece, "must specify bands")
    return piece.cut(0, at), piece.cut(equals + 1)


def _head(piece: Piece, whole: bool) -> tuple[int | None, int]:
    meter: int | None = None
    flags = 0
    words = iter(piece.words(_SEPARATORS))
    for word in words:
        if whole and word.text in FLAGS:
            flags |= FLAGS[word.text]
            continue
        value = next(words, None)
        if value is None:
            raise bad(word, f"field {word.text} missing value")
        if word.text != "meter":
            raise bad(word, f"unknown keyword {word.text}")
        meter = _NUMBERS[value.text] if value.text in _NUMBERS else wide(value, 32)
        if value.text not in _NUMBERS and not 1 <= meter <= MeterNumber.MAX:
            raise bad(value, "invalid value for meter")
    return meter, flags


def _bands(piece: Piece, flags: int) -> tuple[MeterBand, ...]:
    bands: list[MeterBand] = []
    words = iter(piece.words(_SEPARATORS))
    for word in words:
        value = next(words, None)
        if value is None:
            raise bad(word, f"field {word.text} missing value")
        if word.text == "type":
            if value.text not in BAND_TYPES:
                raise bad(value, f"field type unknown value {value.text}")
            bands.append(MeterBand(BAND_TYPES[value.text]))
        elif not bands:
            raise bad(word, "band must start with the 'type' keyword")
        elif word.text == "rate":
            bands[-1] = replace(bands[-1], rate=wide(value, 32))
        elif word.text == "burst_size":
            bands[-1] = replace(bands[-1], burst=wide(value, 32))
        elif word.text == "prec_level":
            bands[-1] = replace(bands[-1], precedence=small(value, word.text, 0xFF))
        else:
            raise bad(word, f"unknown keyword {word.text}")
    if not bands:
        raise bad(piece, "meter must have bands")
    for band in bands:
        _check(piece, band, flags)
    return tuple(bands)


def _check(piece: Piece, band: MeterBand, flags: int) -> None:
    remarks = band.type == MeterBandType.DSCP_REMARK
    if remarks and not band.precedence:
        raise bad(piece, "'dscp_remark' band must have 'prec_level'")
    if not remarks and band.precedence:
        raise bad(piece, "Only 'dscp_remark' band may have 'prec_level'")
    if not band.rate:
        raise bad(piece, "band must have 'rate'")
    if flags & MeterFlag.BURST and not band.burst:
        raise bad(piece, "band must have 'burst_size' when 'burst' flag is set")
    if not flags & MeterFlag.BURST and band.burst:
        raise bad(piece, "band may have 'burst_size' only when 'burst' flag is set")


def meter_number_words(meter: int, separator: str = "=") -> str:
    """`meter=1`, or the word for a reserved number."""
    words = {int(number): word for word, number in _NUMBERS.items()}
    unknown = str(meter) if meter <= MeterNumber.MAX else "unknown"
    return f"meter{separator}{words.get(meter, unknown)}"


def meter_words(meter: MeterConfig | MeterMod) -> str:
    """A meter as it is printed, one band a line, with a line's end behind the last."""
    flags = "".join(f"{word} " for word, flag in FLAGS.items() if meter.flags & flag)
    unknown = meter.flags & ~sum(FLAGS.values())
    if unknown:
        flags += f"flags:0x{unknown:x} "
    bands = "".join("\n" + _band_words(band, meter.flags) for band in meter.bands)
    return f"{meter_number_words(meter.meter_id)} {flags}bands={bands}\n"


def _band_words(band: MeterBand, flags: int) -> str:
    names = {int(number): word for word, number in BAND_TYPES.items()}
    text = f"type={names.get(band.type, str(band.type))} rate={band.rate}"
    if flags & MeterFlag.BURST:
        text += f" burst_size={band.burst}"
    if band.type == MeterBandType.DSCP_REMARK:
        text += f" prec_level={band.precedence}"
    return text


def meter_mod_words(body: MeterMod) -> str:
    """A meter modification as `ovs-ofctl` prints the message."""
    command = _COMMAND_WORDS.get(MeterModCommand(body.command), f"cmd:{body.command}")
    return f"{command} {meter_words(body)}"


def meter_line(body: MeterMod | MeterConfig) -> str:
    """A meter in the form in which it can be read again."""
    head = meter_number_words(body.meter_id)
    if not body.bands:
        return head
    flags = "".join(f",{word}" for word, flag in FLAGS.items() if body.flags & flag)
    bands = ",".join(_band_words(band, body.flags).replace(" ", ",") for band in body.bands)
    return f"{head}{flags},bands={bands}"
