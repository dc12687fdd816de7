// Exports the Parquet sink as a plugin; everything else is a library, so that tests can link it.
#include "parquet/parquet_sink.hpp"

using lm::sink::parquet::ParquetSink;
LOGMILL_SINK(ParquetSink)
