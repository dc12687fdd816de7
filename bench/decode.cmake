logmill_bench(decode_bench SOURCES decode_bench.cpp LIBRARIES logmill_decode PkgConfig::ZLIB PkgConfig::ZSTD)
