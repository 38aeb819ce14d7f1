#include "cli/rootfs_command.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <optional>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "chroot/check.hpp"
#include "chroot/create.hpp"
#include "chroot/enter.hpp"
#include "chroot/extract.hpp"
#include "cli/become.hpp"
#include "cli/help.hpp"
#include "cli/parse_options.hpp"
#include "launchers/memory_group.hpp"
#include "launchers/oci_bundle.hpp"

namespace sparkmpi::cli {
namespace {

namespace po = boost::program_options;
using Arguments = std::vector<std::string>;

constexpr const char* kUsage =
    "sparkmpi rootfs create DIR | extract IMAGE|TAR DIR | check DIR | enter|run DIR [options] -- COMMAND...";

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

/// DIR [options] -- COMMAND...: what enter and run are given.
struct InsideCommand {
  ParsedOptions parsed;
  Arguments argv;  ///< behind --; empty where there is nothing

  std::vector<chroot::Bind> binds() const {
    std::vector<chroot::Bind> binds;
    if (parsed.values.count("bind") == 0) return binds;
    for (const std::string& text : parsed.values["bind"].as<Arguments>())
      binds.push_back(chroot::parse_bind(text));
    return binds;
  }
};

/// Options that both have, before those of one alone.
po::options_description inside_options() {
  po::options_description options("Options", 80, 36);
  auto add = options.add_options();
  add("help,h", "this text");
  add("bind,b", po::value<Arguments>()->value_name("SRC[:DST[:ro]]"),
      "show a file or directory inside; may be repeated");
  return options;
}

InsideCommand parse_inside(const Arguments& arguments, const po::options_description& options) {
  const auto dashes = dashes_in(arguments);
  return {parse_options(Arguments(arguments.begin(), dashes), options),
          dashes == arguments.end() ? Arguments{} : Arguments(dashes + 1, arguments.end())};
}

int enter(const Arguments& arguments) {
  po::options_description options = inside_options();
  options.add_options()("no-gpu", "leave the GPU driver's libraries outside");
  const InsideCommand command = parse_inside(arguments, options);
  const ParsedOptions& parsed = command.parsed;
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
  wanted.binds = command.binds();
  wanted.argv = command.argv;
  chroot::enter_root(wanted);
}

/// The variables that a process in a container finds: these of the caller's, a PATH, and the container's
/// name.
std::vector<std::pair<std::string, std::string>> container_variables(const Arguments& names) {
  std::vector<std::pair<std::string, std::string>> variables = {
      {"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, {"container", "runc"}};
  for (const std::string& name : names)
    if (const char* const value = std::getenv(name.c_str())) variables.emplace_back(name, value);
  return variables;
}

int run(const Arguments& arguments) {
  po::options_description options = inside_options();
  auto add = options.add_options();
  add("env,e", po::value<Arguments>()->value_name("NAME"), "hand a variable on; may be repeated");
  add("memory", po::value<std::string>()->value_name("SIZE"), "limit of the container (default: none)");
  add("cgroup-parent", po::value<std::string>()->value_name("PATH"),
      "group under which the container's is made");
  add("name", po::value<std::string>()->value_name("NAME"), "of the container (default: sparkmpi-PID)");
  add("runtime", po::value<std::string>()->default_value("runc")->value_name("PROGRAM"), "runc or crun");
  add("no-gpu", "leave the GPUs and their driver outside");
  const InsideCommand command = parse_inside(arguments, options);
  const ParsedOptions& parsed = command.parsed;
  if (parsed.values.count("help") != 0) {
    fmt::print("{}",
               command_help("sparkmpi rootfs run DIR [options] -- COMMAND...",
                            "Runs a command with DIR as its root directory in an OCI container, by runc "
                            "or crun alone.\nThe container is gone when the command ends.",
                            options, "sparkmpi rootfs run ./root --memory 8G -- sparkmpi charge"));
    return 0;
  }
  if (parsed.words.size() != 1 || command.argv.empty())
    throw UsageError("rootfs run: name one directory, then -- and the command");
  const auto texts = [&](const char* name) {
    return parsed.values.count(name) != 0 ? parsed.values[name].as<Arguments>() : Arguments{};
  };
  const auto text = [&](const char* name) {
    return parsed.values.count(name) != 0 ? std::optional(parsed.values[name].as<std::string>())
                                          : std::nullopt;
  };
  if (geteuid() != 0)
    throw Error("rootfs run: a container by an OCI runtime alone needs root; `rootfs enter` works without");
  launchers::BundleOptions wanted;
  std::error_code failed;
  wanted.root = std::filesystem::canonical(parsed.words.front(), failed);
  if (failed || !std::filesystem::is_directory(wanted.root))
    throw UsageError(
        fmt::format("{} is no directory; sparkmpi rootfs create makes one", parsed.words.front()));
  wanted.argv = command.argv;
  wanted.variables = container_variables(texts("env"));
  wanted.binds = launchers::host_binds(parsed.values.count("no-gpu") == 0, wanted.variables);
  std::ranges::move(command.binds(), std::back_inserter(wanted.binds));
  const std::filesystem::path here = std::filesystem::current_path();
  const bool shown = std::ranges::any_of(wanted.binds, [&](const auto& bind) { return bind.target == here; });
  wanted.directory = shown ? here : "/";
  wanted.name = text("name").value_or(fmt::format("sparkmpi-{}", getpid()));
  wanted.cgroup = launchers::group_path(text("cgroup-parent"), wanted.name);
  if (const auto memory = text("memory")) wanted.memory = parse_bytes(*memory, "--memory");
  launchers::run_bundle(wanted, parsed.values["runtime"].as<std::string>());
}

}  // namespace

int rootfs_command(const Arguments& arguments) {
  const std::string verb = arguments.empty() ? "" : arguments.front();
  const Arguments rest(arguments.begin() + (arguments.empty() ? 0 : 1), arguments.end());
  if (verb == "create") return create(rest);
  if (verb == "extract") return extract(rest);
  if (verb == "check") return check(rest);
  if (verb == "enter") return enter(rest);
  if (verb == "run") return run(rest);
  if (verb == "--help" || verb == "-h") {
    fmt::print("Usage: {}\n", kUsage);
    return 0;
  }
  throw UsageError(fmt::format("rootfs: use {}", kUsage));
}

}  // namespace sparkmpi::cli
