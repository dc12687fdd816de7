logmill_fuzz(isolate_fuzz SOURCES fuzz/isolate_fuzz.cpp LIBRARIES logmill_isolate logmill_border)
