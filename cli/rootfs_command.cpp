#include "cli/rootfs_command.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "chroot/check.hpp"
#include "chroot/create.hpp"
#include "chroot/enter.hpp"
#include "chroot/extract.hpp"
#include "cli/help.hpp"
#include "cli/parse_options.hpp"

namespace sparkmpi::cli {
namespace {

namespace po = boost::program_options;
using Arguments = std::vector<std::string>;

constexpr const char* kUsage =
    "sparkmpi rootfs create DIR | extract IMAGE|TAR DIR | check DIR | enter DIR [options] -- COMMAND...";

int create(const Arguments& arguments) {
  po::options_description options("Options", 80, 36);
  auto add = options.add_options();
  add("help,h", "this text");
  add("hard-links", "link files instead of copying them: the page cache is shared with the originals");
  add("add", po::value<Arguments>()->value_name("PATH"), "take a file or directory along; may be repeated");
  add("without-cuda", "leave cuBLASLt and NCCL out (0.6 GB)");
  add("force", "use a directory that is not empty");
  const ParsedOptions parsed = parse_options(arguments, options);
  if (parsed.values.count("help") != 0) {
    fmt::print("{}",
               command_help("sparkmpi rootfs create DIR [options]",
                            "Makes a root file system of this program, its libraries, and what MPI needs to "
                            "start it.\nNeeds no image, no network and no root.",
                            options, "sparkmpi rootfs create ./root"));
    return 0;
  }
  if (parsed.words.size() != 1) throw UsageError("rootfs create: name one directory");
  chroot::CreateOptions wanted;
  wanted.root = parsed.words.front();
  wanted.mode = parsed.values.count("hard-links") != 0 ? chroot::CopyMode::hard_link : chroot::CopyMode::copy;
  wanted.cuda_libraries = parsed.values.count("without-cuda") == 0;
  wanted.force = parsed.values.count("force") != 0;
  if (parsed.values.count("add") != 0)
    for (const std::string& path : parsed.values["add"].as<Arguments>()) wanted.extra.emplace_back(path);
  const chroot::CreateResult result = chroot::create_root(wanted);
  for (const std::string& note : result.notes) fmt::print(stderr, "sparkmpi: note: {}\n", note);
  fmt::print("{}: {} files, {}\n", wanted.root.string(), result.files,
             format_bytes(static_cast<double>(result.bytes)));
  return 0;
}

int extract(const Arguments& arguments) {
  if (arguments.size() != 2 || arguments.front().starts_with('-'))
    throw UsageError("rootfs extract: name an image or archive and a directory");
  chroot::extract_root(arguments[0], arguments[1]);
  return 0;
}

int check(const Arguments& arguments) {
  po::options_description options("Options", 80, 36);
  auto add = options.add_options();
  add("help,h", "this text");
  add("program", po::value<std::string>()->value_name("PATH"),
      "the program inside (default: where it is here)");
  const ParsedOptions parsed = parse_options(arguments, options);
  if (parsed.values.count("help") != 0) {
    fmt::print("{}", command_help("sparkmpi rootfs check DIR [--program PATH]",
                                  "Says whether the program can run there, and what to do when it can't.",
                                  options, "sparkmpi rootfs check ./root"));
    return 0;
  }
  if (parsed.words.size() != 1) throw UsageError("rootfs check: name one directory");
  const std::filesystem::path program =
      parsed.values.count("program") != 0 ? std::filesystem::path(parsed.values["program"].as<std::string>())
                                          : std::filesystem::read_symlink("/proc/self/exe");
  const auto findings = chroot::check_root(parsed.words.front(), program);
  for (const chroot::Finding& finding : findings) {
    fmt::print("{}  {}\n", finding.good ? "ok    " : "FAILED", finding.what);
    if (!finding.good) fmt::print("        {}\n", finding.cure);
  }
  return std::ranges::all_of(findings, &chroot::Finding::good) ? 0 : 1;
}

int enter(const Arguments& arguments) {
  po::options_description options("Options", 80, 36);
  auto add = options.add_options();
  add("help,h", "this text");
  add("bind,b", po::value<Arguments>()->value_name("SRC[:DST[:ro]]"),
      "show a file or directory inside; may be repeated");
  add("no-gpu", "leave the GPU driver's libraries outside");
  const auto dashes = std::ranges::find(arguments, "--");
  const ParsedOptions parsed = parse_options(Arguments(arguments.begin(), dashes), options);
  if (parsed.values.count("help") != 0) {
    fmt::print("{}",
               command_help("sparkmpi rootfs enter DIR [options] -- COMMAND...",
                            "Runs a command with DIR as its root directory, in mount namespaces of its own: "
                            "nothing stays mounted.\nNeeds no root where user namespaces are allowed.",
                            options, "sparkmpi rootfs enter ./root -- sparkmpi --version"));
    return 0;
  }
  if (parsed.words.size() != 1) throw UsageError("rootfs enter: name one directory, then -- and the command");
  chroot::EnterOptions wanted;
  wanted.root = parsed.words.front();
  wanted.gpu = parsed.values.count("no-gpu") == 0;
  if (parsed.values.count("bind") != 0)
    for (const std::string& text : parsed.values["bind"].as<Arguments>())
      wanted.binds.push_back(chroot::parse_bind(text));
  if (dashes != arguments.end()) wanted.argv.assign(dashes + 1, arguments.end());
  chroot::enter_root(wanted);
}

}  // namespace

int rootfs_command(const Arguments& arguments) {
  const std::string verb = arguments.empty() ? "" : arguments.front();
  const Arguments rest(arguments.begin() + (arguments.empty() ? 0 : 1), arguments.end());
  if (verb == "create") return create(rest);
  if (verb == "extract") return extract(rest);
  if (verb == "check") return check(rest);
  if (verb == "enter") return enter(rest);
  if (verb == "--help" || verb == "-h") {
    fmt::print("Usage: {}\n", kUsage);
    return 0;
  }
  throw UsageError(fmt::format("rootfs: use {}", kUsage));
}

}  // namespace sparkmpi::cli
