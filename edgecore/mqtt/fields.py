"""The fields of one packet's body, taken off in order (MQTT 3.1.1, 1.5). No IO."""

from __future__ import annotations

from edgecore.mqtt.packets import ProtocolError


class Fields:
    """Takes fields off one packet's body."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    def byte(self) -> int:
        return self._take(1)[0]

    def uint16(self) -> int:
        return int.from_bytes(self._take(2), "big")

    def packet_id(self) -> int:
        value = self.uint16()
        if value == 0:
            raise ProtocolError("packet identifier 0 [MQTT-2.3.1-1]")
        return value

    def binary(self) -> bytes:
        return self._take(self.uint16())

    def text(self) -> str:
        try:
            value = self.binary().decode("utf-8")
        except UnicodeDecodeError as error:
            raise ProtocolError("a string is not UTF-8 [MQTT-1.5.3-1]") from error
        if "\0" in value:
            raise ProtocolError("a string holds U+0000 [MQTT-1.5.3-2]")
        return value

    def rest(self) -> bytes:
        taken = self._body[self._at :]
        self._at = len(self._body)
        return taken

    @property
    def at_end(self) -> bool:
        return self._at >= len(self._body)

    def finish(self) -> None:
        if not self.at_end:
            raise ProtocolError(f"{len(self._body) - self._at} bytes too many in a packet")

    def _take(self, size: int) -> bytes:
        end = self._at + size
        if end > len(self._body):
            raise ProtocolError("a packet ends inside a field")
        taken = self._body[self._at : end]
        self._at = end
        return taken
