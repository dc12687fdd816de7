logmill_fuzz(json_fuzz SOURCES fuzz/json_fuzz.cpp LIBRARIES logmill::sdk simdjson::simdjson)
