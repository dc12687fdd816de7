// The log of "ExampleGate", an invented VPN gateway: a time, the gateway's name, then key=value in any order.
//   2026-03-01T08:00:00Z gw1.example.org event=login result=ok user=alice src=192.0.2.10:51000 groups=staff,admins session=7f3a01
// Logons and logoffs become OCSF authentication. Lines that begin with '#' are headers.
#include <logmill/sdk.hpp>

namespace ocsf = lm::ocsf::v1_8;

namespace {
constexpr auto kFields = lm::keys("event", "result", "reason", "user", "src", "groups", "session", "bytes");
constexpr auto kLogon = lm::table(
    ocsf::authentication, lm::profiles(),
    {{"activity_id"}, {"time"}, {"severity_id"}, {"status_id"}, {"status_detail"}, {"message"}, {"user.name"}, {"user.groups[].name"},
     {"src_endpoint.ip"}, {"src_endpoint.port"}, {"dst_endpoint.hostname"}, lm::plain("session.uid"), lm::constant("is_remote", "true"),
     lm::constant("metadata.product.name", "ExampleGate"), lm::constant("metadata.product.vendor_name", "Example"), {"unmapped"}});
}  // namespace

struct Gate {
  static constexpr lm::Descriptor descriptor{.id = "example.gate", .title = "ExampleGate VPN log", .vendor = "Example", .version = "1.0.0",
                                             .reads = "Logon lines of key=value fields", .framing = lm::Framing::lines};

  static int score(lm::Sample sample) {
    if (sample.first_line().starts_with("#ExampleGate ")) return 95;
    return sample.first_line().find(" event=log") != sample.npos && sample.first_line().find(" user=") != sample.npos ? 70 : 0;
  }
  static bool prologue(std::string_view line) { return line.front() == '#'; }

  void parse(lm::Record record, lm::Rows<kLogon>& rows) {
    std::array<std::string_view, 64> words;
    const std::size_t n = lm::split(record.text(), ' ', words);
    if (n < 3 || n > words.size()) return record.reject(lm::malformed, "a line has a time, a gateway and 1 to 62 fields");
    const auto time = lm::time::rfc3339(words[0]);
    if (!time) return record.reject(lm::malformed, "the line does not begin with a time");
    std::array<lm::Text, kFields.names.size()> field;
    rest_.clear();
    for (std::size_t i = 2; i < n; ++i) {
      const std::size_t equals = words[i].find('=');
      if (equals == words[i].npos) return record.reject(lm::malformed, "a field is not key=value");
      const std::string_view key = words[i].substr(0, equals), value = words[i].substr(equals + 1);
      if (const int known = kFields.find(key); known < 0) {
        rest_.add_text(key, value);  // nothing that the source says is lost
        record.drift(key);           // and the run's summary tells that the source has learned something new
      } else if (lm::Text& text = field[static_cast<std::size_t>(known)]; text) {
        return record.reject(lm::malformed, "a field is there twice");  // one value would hide the other
      } else {
        text = value;
      }
    }
    const auto get = [&](std::string_view key) { return field[static_cast<std::size_t>(kFields.find(key))]; };
    const auto event = get("event"), result = get("result"), user = get("user");
    if (event != "login" && event != "logout") return record.reject(lm::foreign, "'event' is neither login nor logout");
    if (!user || user->empty()) return record.reject(lm::malformed, "no 'user'");

    auto row = rows.begin(record);
    row.set<"time">(*time);
    row.set<"activity_id">(event == "login" ? 1 : 2);                   // Logon, Logoff
    row.set<"status_id">(result == "ok" ? 1 : result == "denied" ? 2 : 0);  // Success, Failure, Unknown
    if (result && result != "ok" && result != "denied") rest_.add_text("result", *result);
    row.set<"severity_id">(result == "denied" ? 2 : 1);                 // Low, Informational
    row.set<"status_detail">(get("reason"));                            // an optional that is empty leaves the attribute out
    row.set<"user.name">(user);
    for (std::string_view groups = get("groups").value_or(""); !groups.empty();) {
      const std::string_view group = lm::before(groups, ',');
      if (!group.empty()) row.push<"user.groups">().set<"name">(group);
      groups.remove_prefix(std::min(group.size() + 1, groups.size()));
    }
    const std::string_view source = get("src").value_or(""), ip = source.substr(0, source.rfind(':'));
    const auto port = lm::integer(lm::after_last(source, ':'));
    const bool address = row.set<"src_endpoint.ip">(ip), whole = row.set<"src_endpoint.port">(port);  // false: it is no address, no port
    if (!(address && whole) && !source.empty()) rest_.add_text("src", source);  // what cannot be read is kept as it stands
    row.set<"dst_endpoint.hostname">(words[1]);
    row.set<"session.uid">(get("session"));
    if (const auto bytes = get("bytes")) rest_.add_text("bytes", *bytes);  // authentication has no place for it
    if (const auto rest = rest_.finish(); !rest.empty()) row.set<"unmapped">(rest);
  }

 private:
  lm::json::ObjectWriter rest_;
};

LOGMILL_PARSERS(Gate)
