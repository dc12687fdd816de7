logmill_fuzz(decode_fuzz SOURCES fuzz/decode_fuzz.cpp LIBRARIES logmill_decode)
