"""The schemas of ``ingenium.v1`` as plain ``google.protobuf`` classes, for users of ``protoc``.

What ``protoc --python_out`` makes of a message of your own imports them from here, since it looks
for them by the path of their ``.proto`` file. The SDK works with `ingenium.DataEvent` and so on;
`EventBus.publish` takes these as well.
"""
