logmill_fuzz(unwrap_fuzz SOURCES fuzz/unwrap_fuzz.cpp LIBRARIES logmill_unwrap)
