#include "kernels/pressure/protocol.hpp"

#include "base/error.hpp"
#include "kernels/option.hpp"
#include "results/codec.hpp"

namespace sparkmpi::kernels::pressure {
namespace {

child::Record encode_facts(Attributes facts) {
  results::KernelRecord record;
  record.facts = std::move(facts);
  return results::encode(record);
}

Parameters decode_facts(const child::Record& record) {
  return Parameters(results::decode_record(record).facts);
}

}  // namespace

child::Record encode_target(std::uint64_t bytes) {
  return encode_facts({{"target", static_cast<std::int64_t>(bytes)}});
}

std::uint64_t decode_target(const child::Record& record) {
  return static_cast<std::uint64_t>(decode_facts(record).integer("target"));
}

child::Record encode(const Report& report) {
  Attributes facts = {{"held", static_cast<std::int64_t>(report.held)},
                      {"allocate_s", report.allocate_s},
                      {"touch_s", report.touch_s},
                      {"resident", report.resident}};
  if (report.refusal) {
    facts["cause"] = std::string(to_string(report.refusal->cause));
    facts["text"] = report.refusal->text;
  }
  return encode_facts(std::move(facts));
}

Report decode_report(const child::Record& record) {
  const Parameters facts = decode_facts(record);
  Report report{static_cast<std::uint64_t>(facts.integer("held")), facts.real("allocate_s"),
                facts.real("touch_s"), facts.real("resident"), std::nullopt};
  if (facts.has("cause")) {
    const auto cause = cause_of(facts.text("cause"));
    if (!cause) throw Error("the child process reported a cause that there is not");
    report.refusal = Refusal{*cause, facts.text("text")};
  }
  return report;
}

}  // namespace sparkmpi::kernels::pressure
