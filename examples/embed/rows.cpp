// usage: embed_rows INPUT...    Reads logs by logmill, without files in between, and prints how many rows each table has.
//
// What a program does that wants the events themselves: load the plugins, name the inputs, read a stream of Arrow batches a table.
#include <logmill/core.hpp>

#include <cstdlib>
#include <iostream>

int main(int argc, char** argv) {
  lm::Registry registry;
  if (auto loaded = registry.load_default(); !loaded) {
    std::cerr << "embed_rows: " << loaded.error().what << '\n';
    return EXIT_FAILURE;
  }
  lm::RunOptions options;
  options.inputs.assign(argv + 1, argv + argc);

  lm::Summary summary;  // filled when the last stream ends, so it outlives them
  auto streams = lm::open_streams(registry, options, &summary);
  if (!streams) {
    std::cerr << "embed_rows: " << streams.error().what << '\n';
    return EXIT_FAILURE;
  }
  // One table after the other. A program that must stay within options.memory reads each by a thread of its own.
  bool failed = false;
  for (lm::TableStream& table : *streams) {
    std::int64_t rows = 0;
    ArrowArray batch;
    int error = 0;
    while ((error = table.stream.get_next(&table.stream, &batch)) == 0 && batch.release) {
      rows += batch.length;  // here a program would read batch.children by the schema that get_schema answers
      batch.release(&batch);
    }
    if (error != 0) {
      const char* why = table.stream.get_last_error(&table.stream);
      std::cerr << "embed_rows: " << table.name << ": " << (why ? why : "no reason given") << '\n';
      failed = true;
    } else if (rows != 0) {
      std::cout << table.name << ' ' << rows << '\n';
    }
  }
  for (lm::TableStream& table : *streams) table.stream.release(&table.stream);
  if (failed) return EXIT_FAILURE;
  // Streams carry what was read; what was not is in the summary.
  for (const auto* reports : {&summary.reports, &summary.rejecting}) {
    for (const lm::ObjectReport& report : *reports) std::cerr << "embed_rows: " << report.uri << ": " << report.reason << '\n';
  }
  return summary.complete() ? EXIT_SUCCESS : 3;
}
