"""How a test's MQTT client leaves the broker."""

from contextlib import suppress

from paho.mqtt.client import Client


def leave(client: Client) -> None:
    """Disconnect and end paho's thread."""
    client.disconnect()
    # That thread may end by itself between paho's look at it and its join: there is nothing to wait for then.
    with suppress(AttributeError):
        client.loop_stop()
