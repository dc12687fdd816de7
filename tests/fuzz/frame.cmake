logmill_fuzz(frame_fuzz SOURCES fuzz/frame_fuzz.cpp LIBRARIES logmill_frame)
