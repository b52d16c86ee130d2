module ingenium.example/golden

go 1.22
