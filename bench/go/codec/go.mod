module ingenium.example/codec

go 1.22
