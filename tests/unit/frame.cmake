logmill_test(frame_test SOURCES unit/frame_test.cpp LIBRARIES logmill_frame fmt::fmt LABELS pipeline BUSY)
