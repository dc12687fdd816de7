logmill_bench(frame_bench SOURCES frame_bench.cpp LIBRARIES logmill_frame)
