// A parser of "TIME TEXT" lines that breaks the contract in the one way that its build names.
#include <logmill/sdk.hpp>

#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <atomic>
#include <cstdlib>

namespace {

// The ways to take a process along.
[[maybe_unused]] void crash() { ::raise(SIGSEGV); }
[[maybe_unused]] void hang() {
  for (std::atomic<bool> never{false}; !never;) {}
}
[[maybe_unused]] void leak() {
  for (;;) {
    auto* const page = static_cast<volatile char*>(std::malloc(1 << 20));
    if (!page) throw std::bad_alloc();
    for (int i = 0; i < 1 << 20; i += 4096) page[i] = 1;
  }
}
// What a worker that somebody has taken over may answer: nonsense in all the memory that the host looks at, said to be an answer. 5 and 3 are its descriptors.
[[maybe_unused]] void lie() {
  auto* const replies = static_cast<unsigned char*>(::mmap(nullptr, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, 5, 0));
  for (int i = 0; i < 1 << 20; ++i) replies[i] = static_cast<unsigned char>(i % 251 < 8 ? i / 8 % 3 : 255);
  const std::uint64_t reply[2] = {0, 1 << 20};
  ::send(3, reply, sizeof reply, 0);
  hang();
}

constexpr auto kTable =
    lm::table(lm::ocsf::v1_8::base_event, lm::profiles(),
              {{"activity_id"}, {"time"}, {"severity_id"}, {"message"}, {"status_code"}, lm::constant("metadata.product.name", "fault")});
}  // namespace

struct Fault {
  static constexpr lm::Descriptor descriptor{
      .id = "test.fault", .title = "Fault", .vendor = "test", .version = "1.0.0", .reads = "TIME TEXT", .framing = lm::Framing::lines};
  static int score(lm::Sample s) {
#if defined(FAULT_SCORE)
    if (s.head.find("odd") != s.head.npos) crash();
#endif
    return s.first_line().find("fault") != s.npos ? 50 : 0;
  }
#if defined(FAULT_TIRED)
  int records = 0;
#endif
#if defined(FAULT_PROLOGUE)
  static bool prologue(std::string_view line) {
    if (line.find("odd") != line.npos) crash();
    return line.front() == '#';
  }
#endif
  void parse(lm::Record record, lm::Rows<kTable>& rows) {
    const std::string_view text = record.text();
    const auto time = lm::time::seconds(lm::before(text, ' '));
    if (!time) return record.reject(lm::malformed, "no time");
#if defined(FAULT_SILENT)
    if (text.find("odd") != text.npos) return;
#endif
#if defined(FAULT_CRASH)
    if (text.find("odd") != text.npos) crash();
#elif defined(FAULT_ABORT)
    if (text.find("odd") != text.npos) std::abort();
#elif defined(FAULT_HANG)
    if (text.find("odd") != text.npos) hang();
#elif defined(FAULT_LEAK)
    if (text.find("odd") != text.npos) leak();
#elif defined(FAULT_EXIT)
    if (text.find("odd") != text.npos) ::_exit(0);
#elif defined(FAULT_LIE)
    if (text.find("odd") != text.npos) lie();
#elif defined(FAULT_TIRED)
    if (++records > 5000) crash();
#endif
#if defined(FAULT_THROWS)
    if (text.find("odd") != text.npos) throw std::runtime_error("thrown on purpose");
#endif
    auto row = rows.begin(record);
    row.set<"activity_id">(1);
    row.set<"severity_id">(1);
#if defined(FAULT_NO_TIME)
    if (text.find("odd") != text.npos) return;
#endif
    row.set<"time">(*time);
    row.set<"message">(text);
    row.set<"status_code">(lm::after_last(text, ' '));
  }
};

namespace {
using Library = lm::detail::Library<Fault>;

thread_local const lm_emit* host;  // of the parse call at hand

// Stands between the parser and the host and spoils what passes.
[[maybe_unused]] lm_status spoil(void*, lm_batch* batch) {
#if defined(FAULT_SHORT_ARRAY)
  batch->array.children[0]->length -= 1;
#elif defined(FAULT_BAD_CODE)
  for (std::int64_t i = 0; i < batch->array.n_children; ++i) {
    if (batch->array.children[i]->dictionary)
      const_cast<std::int32_t*>(static_cast<const std::int32_t*>(batch->array.children[i]->buffers[1]))[0] = 1 << 20;
  }
#endif
  return host->batch(host->ctx, batch);
}

#if defined(FAULT_LOAD)
[[maybe_unused]] const bool loaded = (crash(), true);
#endif

lm_status create(std::uint32_t index, lm_str config, lm_parser* out, lm_error* error) noexcept {
#if defined(FAULT_CREATE)
  crash();
#endif
  const lm_status status = Library::create(index, config, out, error);
  static const auto its_parse = out->parse;  // the same of every instance; created on any thread
  out->parse = [](void* self, const lm_block* const* blocks, std::uint64_t n, const lm_emit* emit, lm_error* e) noexcept {
    host = emit;
    lm_emit mine = *emit;
#if defined(FAULT_SHORT_ARRAY) || defined(FAULT_BAD_CODE)
    mine.batch = spoil;
#endif
#if defined(FAULT_TWICE)
    emit->reject(emit->ctx, 0, 0, LM_REJECT_MALFORMED, lm::detail::str("first"));
    emit->reject(emit->ctx, 0, 0, LM_REJECT_MALFORMED, lm::detail::str("second"));
#endif
    return its_parse(self, blocks, n, &mine, e);
  };
  return status;
}

const lm_parser_descriptor* descriptor(std::uint32_t i) noexcept {
  static lm_parser_descriptor d = *Library::descriptor(i);
  static lm_class c = d.classes[0];
  static std::array<lm_column, 6> columns = [] {
    std::array<lm_column, 6> out{};
    std::copy_n(c.columns, 6, out.begin());
    return out;
  }();
#if defined(FAULT_UNKNOWN_COLUMN)
  columns[3].path = lm::detail::str("mesage");
#elif defined(FAULT_DERIVED_COLUMN)
  columns[3].path = lm::detail::str("class_name");
#endif
  c.columns = columns.data();
  d.classes = &c;
  return &d;
}

constexpr lm_parser_factory factory{sizeof(lm_parser_factory), 1, &descriptor, &Library::score, &Library::prologue, &create};
const void* get_factory(const char* id) noexcept { return std::string_view(id) == LM_PARSER_FACTORY ? &factory : nullptr; }
}  // namespace

extern "C" LM_EXPORT const lm_entry logmill_entry;
extern "C" LM_EXPORT const lm_entry logmill_entry = {sizeof(lm_entry),
#if defined(FAULT_FOREIGN_ABI)
                                                     LM_ABI_VERSION + (1u << 16),
#else
                                                     LM_ABI_VERSION,
#endif
                                                     &Library::init, &Library::deinit, &get_factory};
