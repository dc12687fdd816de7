logmill_test(isolate_test SOURCES unit/isolate_test.cpp LIBRARIES logmill_isolate logmill_border simdjson::simdjson LABELS pipeline)
