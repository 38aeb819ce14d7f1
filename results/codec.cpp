#include "results/codec.hpp"

#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/error.hpp"

namespace sparkmpi::results {
namespace {

using Json = nlohmann::json;

// Arrays of doubles travel as one binary blob in the sender's byte order: the ranks of one run are of one
// architecture family (MPI itself would not start otherwise), and a million numbers as CBOR items would cost
// nine bytes and a branch each.
Json blob(const std::vector<double>& values) {
  std::vector<std::uint8_t> bytes(values.size() * sizeof(double));
  if (!bytes.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return Json::binary(std::move(bytes));
}

std::vector<double> doubles(const Json& json) {
  const auto& bytes = json.get_binary();
  if (bytes.size() % sizeof(double) != 0) throw Error("a record's numbers are cut short");
  std::vector<double> values(bytes.size() / sizeof(double));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

Json to_json(const Attributes& attributes) {
  Json json = Json::object();
  for (const auto& [name, value] : attributes) {
    std::visit([&json, &key = name](const auto& held) { json[key] = held; }, value);
  }
  return json;
}

Attributes attributes_from(const Json& json) {
  Attributes attributes;
  for (const auto& [name, value] : json.items()) {
    if (value.is_string()) {
      attributes[name] = value.get<std::string>();
    } else if (value.is_number_float()) {
      attributes[name] = value.get<double>();
    } else {
      attributes[name] = value.get<std::int64_t>();
    }
  }
  return attributes;
}

Json to_json(const ledger::Snapshot& snapshot) {
  Json names = Json::array(), units = Json::array(), answers = Json::array();
  std::vector<double> values;
  for (const ledger::Reading& reading : snapshot.readings) {
    names.push_back(reading.name);
    units.push_back(reading.unit);
    answers.push_back(static_cast<int>(reading.answer));
    values.push_back(reading.value);
  }
  return {{"moment", snapshot.moment}, {"time", snapshot.time_s},       {"names", std::move(names)},
          {"units", std::move(units)}, {"answers", std::move(answers)}, {"values", blob(values)}};
}

ledger::Snapshot snapshot_from(const Json& json) {
  ledger::Snapshot snapshot{json.at("moment").get<std::string>(), json.at("time").get<double>(), {}};
  const std::vector<double> values = doubles(json.at("values"));
  const Json &names = json.at("names"), &units = json.at("units"), &answers = json.at("answers");
  if (names.size() != values.size() || units.size() != values.size() || answers.size() != values.size()) {
    throw Error("a record's ledger readings don't match their names");
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    const int answer = answers[i].get<int>();
    if (answer < 0 || answer > static_cast<int>(ledger::Answer::absent))
      throw Error("a record holds an unknown ledger answer");
    snapshot.readings.push_back({names[i].get<std::string>(), units[i].get<std::string>(),
                                 static_cast<ledger::Answer>(answer), values[i]});
  }
  return snapshot;
}

Json to_json(const ledger::Timeline& timeline) {
  Json columns = Json::array();
  for (const ledger::TimelineColumn& column : timeline.columns) {
    columns.push_back({{"name", column.name}, {"unit", column.unit}, {"values", blob(column.values)}});
  }
  return {{"time", blob(timeline.time_s)}, {"columns", std::move(columns)}};
}

ledger::Timeline timeline_from(const Json& json) {
  ledger::Timeline timeline{doubles(json.at("time")), {}};
  for (const Json& column : json.at("columns")) {
    timeline.columns.push_back({column.at("name").get<std::string>(), column.at("unit").get<std::string>(),
                                doubles(column.at("values"))});
    if (timeline.columns.back().values.size() != timeline.time_s.size()) {
      throw Error("a record's time line is ragged");
    }
  }
  return timeline;
}

/// Runs `parse` and turns every complaint of the JSON library into an Error of ours.
template <class Parse>
auto guarded(std::span<const std::uint8_t> bytes, Parse&& parse) {
  try {
    return parse(Json::from_cbor(bytes.begin(), bytes.end()));
  } catch (const Json::exception& error) {
    throw Error(std::string("a gathered record can't be read: ") + error.what());
  }
}

}  // namespace

std::vector<std::uint8_t> encode(const KernelRecord& record) {
  Json json = {{"complete", record.outcome.complete},
               {"stop_reason", record.outcome.stop_reason},
               {"error", record.outcome.error},
               {"start", record.start_s},
               {"end", record.end_s},
               {"facts", to_json(record.facts)},
               {"series", Json::array()},
               {"snapshots", Json::array()},
               {"timeline", to_json(record.timeline)}};
  for (const Series& series : record.series) {
    json["series"].push_back(
        {{"metric", series.metric}, {"axis", series.axis}, {"values", blob(series.values)}});
  }
  for (const ledger::Snapshot& snapshot : record.snapshots) json["snapshots"].push_back(to_json(snapshot));
  for (const Labels& labels : record.labels) {
    json["labels"].push_back({{"name", labels.name}, {"axis", labels.axis}, {"values", labels.values}});
  }
  return Json::to_cbor(json);
}

std::vector<std::uint8_t> encode(const RankInfo& info) {
  return Json::to_cbor(to_json(info.facts));
}

KernelRecord decode_record(std::span<const std::uint8_t> bytes) {
  return guarded(bytes, [](const Json& json) {
    KernelRecord record;
    record.outcome = {json.at("complete").get<bool>(), json.at("stop_reason").get<std::string>(),
                      json.at("error").get<std::string>()};
    record.start_s = json.at("start").get<double>();
    record.end_s = json.at("end").get<double>();
    record.facts = attributes_from(json.at("facts"));
    for (const Json& series : json.at("series")) {
      record.series.push_back({series.at("metric").get<std::string>(), series.at("axis").get<std::string>(),
                               doubles(series.at("values"))});
    }
    for (const Json& snapshot : json.at("snapshots")) record.snapshots.push_back(snapshot_from(snapshot));
    if (json.contains("labels")) {
      for (const Json& labels : json.at("labels")) {
        record.labels.push_back({labels.at("name").get<std::string>(), labels.at("axis").get<std::string>(),
                                 labels.at("values").get<std::vector<std::string>>()});
      }
    }
    record.timeline = timeline_from(json.at("timeline"));
    return record;
  });
}

RankInfo decode_rank_info(std::span<const std::uint8_t> bytes) {
  return guarded(bytes, [](const Json& json) {
    if (!json.is_object()) throw Error("a gathered rank's facts are no object");
    return RankInfo{attributes_from(json)};
  });
}

}  // namespace sparkmpi::results
