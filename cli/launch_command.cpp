#include "cli/launch_command.hpp"

#include <fmt/format.h>

#include <filesystem>

#include "base/command.hpp"
#include "base/error.hpp"
#include "cli/become.hpp"
#include "cli/help.hpp"
#include "cli/parse_options.hpp"
#include "launchers/launch.hpp"
#include "launchers/program.hpp"

namespace sparkmpi::cli {
namespace {

namespace po = boost::program_options;
using Texts = std::vector<std::string>;

po::options_description launch_options() {
  po::options_description options("Options", 80, 36);
  auto add = options.add_options();
  add("help,h", "this text");
  add("ranks,n", po::value<int>()->default_value(1)->value_name("N"),
      "number of ranks (-np N works as well)");
  add("hostfile", po::value<std::string>()->value_name("FILE"), "hosts, as mpirun takes them");
  add("option,O", po::value<Texts>()->value_name("NAME[=VALUE]"),
      "option of the environment; may be repeated");
  add("model", po::value<std::string>()->default_value("hybrid")->value_name("M"),
      "hybrid: each rank enclosed by itself; inside: one enclosure around mpirun");
  add("launcher", po::value<std::string>()->default_value("mpirun")->value_name("L"), "mpirun or srun");
  add("launcher-option", po::value<Texts>()->value_name("WORD"), "word for the launcher; may be repeated");
  add("show", po::value<Texts>()->value_name("PATH"), "file or directory to show inside; may be repeated");
  add("program", po::value<std::string>()->value_name("PATH"), "the ranks' program (default: this one)");
  add("gpu", "give the GPUs to the container");
  add("oversubscribe", "more ranks than cores");
  add("dry-run", "print the command and start nothing");
  return options;
}

Texts texts(const po::variables_map& values, const char* name) {
  return values.count(name) != 0 ? values[name].as<Texts>() : Texts{};
}

launchers::LaunchPlan plan_of(const ParsedOptions& parsed) {
  const po::variables_map& values = parsed.values;
  launchers::LaunchPlan plan;
  plan.environment = &launchers::find_environment(parsed.words.front());
  plan.options = texts(values, "option");
  plan.ranks = values["ranks"].as<int>();
  if (plan.ranks < 1) throw UsageError(fmt::format("-n {}: at least one rank is needed", plan.ranks));
  const std::string model = values["model"].as<std::string>(),
                    launcher = values["launcher"].as<std::string>();
  if (model != "hybrid" && model != "inside")
    throw UsageError(fmt::format("--model: '{}' is neither hybrid nor inside", model));
  if (launcher != "mpirun" && launcher != "srun")
    throw UsageError(fmt::format("--launcher: '{}' is neither mpirun nor srun", launcher));
  plan.model = model == "inside" ? launchers::LaunchModel::inside : launchers::LaunchModel::hybrid;
  plan.launcher = launcher == "srun" ? launchers::Launcher::srun : launchers::Launcher::mpirun;
  plan.launcher_options = texts(values, "launcher-option");
  if (values.count("hostfile") != 0) {
    plan.hostfile = values["hostfile"].as<std::string>();
    if (!std::filesystem::exists(plan.hostfile))
      throw UsageError(fmt::format("--hostfile: {} does not exist", plan.hostfile.string()));
  }
  for (const std::string& path : texts(values, "show")) {
    if (!std::filesystem::exists(path)) throw UsageError(fmt::format("--show: {} does not exist", path));
    plan.visible.push_back(std::filesystem::canonical(path));
  }
  plan.directory = std::filesystem::current_path();
  plan.program =
      values.count("program") != 0 ? values["program"].as<std::string>() : launchers::program_path();
  plan.variables = launchers::variables_to_hand_on(process_variables());
  plan.gpu = values.count("gpu") != 0;
  plan.oversubscribe = values.count("oversubscribe") != 0;
  return plan;
}

}  // namespace

int launch_command(const std::vector<std::string>& arguments) {
  const po::options_description options = launch_options();
  const auto dashes = dashes_in(arguments);
  Texts words(arguments.begin(), dashes);
  for (std::string& word : words)
    if (word == "-np") word = "-n";  // as mpirun spells it
  const ParsedOptions parsed = parse_options(words, options);
  if (parsed.values.count("help") != 0) {
    std::string text =
        command_help("sparkmpi launch ENV -np N [options] -- ARGUMENTS...",
                     "Starts this program's ranks in an environment, so that the environment is the only "
                     "thing that changes.",
                     options, "sparkmpi launch chroot -np 2 -O rootfs=./root -- charge -o chroot.h5");
    text += "\nEnvironments and their options:\n";
    for (const launchers::EnvironmentInfo& environment : launchers::environments()) {
      text += fmt::format("  {:<10} {}\n", environment.name, environment.summary);
      for (const launchers::EnvironmentOption& option : environment.options)
        text += fmt::format("    {:<16} {}\n", option.name, option.help);
    }
    fmt::print("{}", text);
    return 0;
  }
  if (parsed.words.size() != 1)
    throw UsageError("launch: name one environment, then the program's arguments after --");
  launchers::LaunchPlan plan = plan_of(parsed);
  if (dashes != arguments.end()) plan.arguments.assign(dashes + 1, arguments.end());
  const Texts command = launchers::launch_command(plan);
  if (parsed.values.count("dry-run") != 0) {
    fmt::print("{}\n", shell_text(command));
    return 0;
  }
  const std::string tool(plan.environment->tool);
  if (!tool.empty() && find_program(tool).empty())
    throw Error(fmt::format("{} is not installed here (not in PATH)", tool));
  become(command);
}

}  // namespace sparkmpi::cli
