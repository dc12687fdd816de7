logmill_test(decode_test SOURCES unit/decode_test.cpp
  LIBRARIES logmill_decode PkgConfig::ZLIB PkgConfig::ZSTD PkgConfig::LZMA PkgConfig::LZ4 BZip2::BZip2 Snappy::snappy LABELS pipeline)
