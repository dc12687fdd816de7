// A parser of "TIME TEXT" lines that breaks the contract in one way: that of the library which it is linked into.
#include "fault_way.hpp"

#include <logmill/sdk.hpp>
#include <logmill/sdk/error.hpp>

#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <utility>

namespace {

// The ways to take a process along.
void crash() { ::raise(SIGSEGV); }
void hang() {
  for (std::atomic<bool> never{false}; !never;) {}
}
void leak() {
  for (;;) {
    auto* const page = static_cast<volatile char*>(std::malloc(1 << 20));
    if (!page) throw std::bad_alloc();
    for (int i = 0; i < 1 << 20; i += 4096) page[i] = 1;
  }
}
// What a worker that somebody has taken over may answer: nonsense in all the memory that the host looks at, said to be an answer. 5 and 3 are its descriptors.
void lie() {
  auto* const replies = static_cast<unsigned char*>(::mmap(nullptr, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, 5, 0));
  for (int i = 0; i < 1 << 20; ++i) replies[i] = static_cast<unsigned char>(i % 251 < 8 ? i / 8 % 3 : 255);
  const std::uint64_t reply[2] = {0, 1 << 20};
  ::send(3, reply, sizeof reply, 0);
  hang();
}

// In a thread that the call leaves behind, and in memory that is shared, which no limit of the process holds.
void grow() {
  for (;;) {
    void* const pages = ::mmap(nullptr, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (pages != MAP_FAILED) std::memset(pages, 1, 1 << 20);
  }
}
std::atomic<bool> grows = false;

constexpr auto kTable = lm::table(lm::ocsf::v1_8::base_event, lm::profiles(),
                                  {{"activity_id"},
                                   {"time"},
                                   {"severity_id"},
                                   {"message"},
                                   {"status_code"},
                                   {"unmapped"},
                                   lm::constant("metadata.product.name", "fault")});
}  // namespace

struct Fault {
  static constexpr lm::Descriptor descriptor{
      .id = "test.fault", .title = "Fault", .vendor = "test", .version = "1.0.0", .reads = "TIME TEXT", .framing = lm::Framing::lines};
  static int score(lm::Sample s) {
    if (way == Way::slow && s.head.find("odd") != s.head.npos) hang();
    if (way == Way::score && s.head.find("odd") != s.head.npos) crash();
    return s.first_line().find("fault") != s.npos ? 50 : 0;
  }
  static bool prologue(std::string_view line) {
    if (way != Way::prologue) return false;
    if (line.find("odd") != line.npos) crash();
    return line.front() == '#';
  }
  int records = 0;
  void parse(lm::Record record, lm::Rows<kTable>& rows) {
    const std::string_view text = record.text();
    const auto time = lm::time::seconds(lm::before(text, ' '));
    if (!time) return record.reject(lm::malformed, "no time");
    const bool odd = text.find("odd") != text.npos;
    if (way == Way::tired && ++records > 5000) crash();
    if (odd) {
      switch (way) {
        case Way::silent: return;
        case Way::crash: crash(); break;
        case Way::abort: std::abort();
        case Way::hang: hang(); break;
        case Way::leak: leak(); break;
        case Way::exit: ::_exit(0);
        case Way::lie: lie(); break;
        case Way::grow: grows = true; break;
        case Way::throws: throw std::runtime_error("thrown on purpose");
        default: break;
      }
    }
    for (int i = 1; way == Way::many && odd && i < 40; ++i) {
      auto row = rows.begin(record);
      row.set<"activity_id">(1);
      row.set<"severity_id">(1);
      row.set<"time">(*time);
    }
    auto row = rows.begin(record);
    row.set<"activity_id">(1);
    row.set<"severity_id">(1);
    if (way == Way::no_time && odd) return;
    row.set<"time">(way == Way::far && odd ? INT64_MAX : *time);
    if (way == Way::no_nulls && odd) return;
    row.set<"message">(text);
    row.set<"status_code">(lm::after_last(text, ' '));
    if (way == Way::no_json) row.set<"unmapped">(odd ? R"({"half":)" : "{}");
    if (way == Way::half && odd) rows.begin(record).set<"activity_id">(1);
  }
};

namespace {
using Library = lm::detail::Library<Fault>;

thread_local const lm_emit* host;  // of the parse call at hand

// Stands between the parser and the host and spoils what passes.
lm_status spoil(void*, lm_batch* batch) {
  if (way == Way::short_array) batch->array.children[0]->length -= 1;
  for (std::int64_t i = 0; way == Way::no_nulls && i < batch->array.n_children; ++i) batch->array.children[i]->null_count = 0;
  for (std::int64_t i = 0; way == Way::bad_code && i < batch->array.n_children; ++i) {
    if (batch->array.children[i]->dictionary)
      const_cast<std::int32_t*>(static_cast<const std::int32_t*>(batch->array.children[i]->buffers[1]))[0] = 1 << 20;
  }
  return host->batch(host->ctx, batch);
}

[[maybe_unused]] const bool loaded = [] {
  if (way == Way::load) crash();
  return true;
}();

lm_status create(std::uint32_t index, lm_str config, lm_parser* out, lm_error* error) noexcept {
  if (way == Way::create) crash();
  if (way == Way::refuse) return lm::detail::tell(error, LM_INVALID, "it wants another configuration");
  const lm_status status = Library::create(index, config, out, error);
  static const auto its_parse = out->parse;  // the same of every instance; created on any thread
  out->parse = [](void* self, const lm_block* const* blocks, std::uint64_t n, const lm_emit* emit, lm_error* e) noexcept {
    host = emit;
    lm_emit mine = *emit;
    if (way == Way::short_array || way == Way::bad_code || way == Way::no_nulls) mine.batch = spoil;
    if (way == Way::twice) {
      emit->reject(emit->ctx, 0, 0, LM_REJECT_MALFORMED, lm::detail::str("first"));
      emit->reject(emit->ctx, 0, 0, LM_REJECT_MALFORMED, lm::detail::str("second"));
    }
    const lm_status parsed = its_parse(self, blocks, n, &mine, e);
    if (grows.exchange(false)) std::thread([] { ::usleep(200'000), grow(); }).detach();
    if (way == Way::late) return lm::detail::tell(e, 42, "it stopped half way");
    return parsed;
  };
  return status;
}

const lm_parser_descriptor* descriptor(std::uint32_t i) noexcept {
  static lm_parser_descriptor d = *Library::descriptor(i);
  static lm_class c = d.classes[0];
  static std::array<lm_column, 7> columns = [] {
    std::array<lm_column, 7> out{};
    std::copy_n(c.columns, 7, out.begin());
    return out;
  }();
  if (way == Way::unknown_column) columns[3].path = lm::detail::str("mesage");
  if (way == Way::derived_column) columns[3].path = lm::detail::str("class_name");
  if (way == Way::constant) columns[2].constant = lm::detail::str("low");
  static const lm_str twice[] = {lm::detail::str("cloud"), lm::detail::str("cloud")};
  if (way == Way::profile_twice) c.profiles = twice, c.n_profiles = 2;
  c.columns = columns.data();
  d.classes = &c;
  return &d;
}

constexpr lm_parser_factory factory{sizeof(lm_parser_factory), 1, &descriptor, &Library::score, &Library::prologue, &create};
const void* get_factory(const char* id) noexcept { return std::string_view(id) == LM_PARSER_FACTORY ? &factory : nullptr; }
}  // namespace

extern "C" LM_EXPORT const lm_entry logmill_entry;
extern "C" LM_EXPORT const lm_entry logmill_entry = {sizeof(lm_entry), LM_ABI_VERSION + (way == Way::foreign_abi ? 1u << 16 : 0),
                                                     &Library::init, &Library::deinit, &get_factory};
