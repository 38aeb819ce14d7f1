#include "cli/slurm_command.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>

#include "base/command.hpp"
#include "base/error.hpp"
#include "cli/become.hpp"
#include "cli/help.hpp"
#include "cli/parse_options.hpp"
#include "launchers/cluster/batch_script.hpp"
#include "launchers/program.hpp"
#include "launchers/study/plan.hpp"

namespace sparkmpi::cli {
namespace {

namespace po = boost::program_options;
namespace cluster = launchers::cluster;

po::options_description slurm_options() {
  const auto text = [](const char* name) { return po::value<std::string>()->value_name(name); };
  const auto count = [](int otherwise) {
    return po::value<int>()->default_value(otherwise)->value_name("N");
  };
  po::options_description options("Options", 80, 36);
  auto add = options.add_options();
  add("help,h", "this text");
  add("nodes,N", count(1), "nodes");
  add("ranks,n", count(1), "ranks in all (-np N works as well)");
  add("gpus-per-task", count(0), "GPUs for each rank");
  add("cpus-per-task", count(0), "cores for each rank, and bound to them; 0: the cluster's default");
  add("time", text("T"), "limit, as Slurm takes it: 00:30:00");
  add("partition", text("P"), "partition");
  add("name", text("NAME"), "of the job (default: sparkmpi)");
  add("mpi", po::value<std::string>()->default_value("pmix")->value_name("M"), "srun --mpi: pmix or pmi2");
  add("container-image", text("IMAGE"), "run the ranks in this image by Slurm's pyxis plug-in");
  add("program", text("PATH"), "the ranks' program (default: this one)");
  add("submit", "write the script to NAME.sbatch and hand it to sbatch");
  add("kubernetes", "print an MPIJob manifest instead");
  add("image", text("IMAGE"), "image of the Kubernetes job");
  return options;
}

cluster::JobPlan plan_of(const po::variables_map& values) {
  const auto text = [&](const char* name) {
    return values.count(name) != 0 ? values[name].as<std::string>() : std::string();
  };
  cluster::JobPlan plan;
  plan.nodes = values["nodes"].as<int>();
  plan.ranks = values["ranks"].as<int>();
  plan.gpus_per_task = values["gpus-per-task"].as<int>();
  plan.cpus_per_task = values["cpus-per-task"].as<int>();
  if (plan.nodes < 1 || plan.ranks < plan.nodes || plan.gpus_per_task < 0 || plan.cpus_per_task < 0)
    throw UsageError(
        fmt::format("slurm: {} ranks on {} nodes: each node needs a rank", plan.ranks, plan.nodes));
  plan.time = text("time");
  plan.partition = text("partition");
  if (values.count("name") != 0) plan.name = text("name");
  plan.mpi = text("mpi");
  if (plan.mpi.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") != std::string::npos)
    throw UsageError(fmt::format("--mpi: '{}' is no PMI such as pmix, pmi2", plan.mpi));
  plan.container = text("container-image");
  plan.image = text("image");
  plan.directory = std::filesystem::current_path().string();
  return plan;
}

void submit(const std::string& script, const std::string& name) {
  if (find_program("sbatch").empty()) throw Error("sbatch is not installed here (not in PATH)");
  const std::string file = name + ".sbatch";
  std::ofstream out(file);
  out << script;
  out.close();
  if (!out) throw Error(fmt::format("{} can't be written", file));
  become({"sbatch", file});
}

}  // namespace

int slurm_command(const std::vector<std::string>& arguments) {
  const po::options_description options = slurm_options();
  const auto dashes = dashes_in(arguments);
  std::vector<std::string> words(arguments.begin(), dashes);
  for (std::string& word : words)
    if (word == "-np") word = "-n";  // as mpirun spells it
  const ParsedOptions parsed = parse_options(words, options);
  if (parsed.values.count("help") != 0) {
    fmt::print(
        "{}",
        command_help("sparkmpi slurm [PLAN] [options] [-- ARGUMENTS...]",
                     "Prints a batch script that runs this program with ARGUMENTS on a cluster's nodes, "
                     "or a study's PLAN\nin one allocation.",
                     options, "sparkmpi slurm -N 2 -n 8 --gpus-per-task 1 --submit -- charge -o charge.h5"));
    return 0;
  }
  cluster::JobPlan plan = plan_of(parsed.values);
  const std::string program = parsed.values.count("program") != 0 ? parsed.values["program"].as<std::string>()
                                                                  : launchers::program_path();
  if (parsed.words.size() + (dashes != arguments.end() ? 1U : 0U) != 1)
    throw UsageError("slurm: give a study's plan, or the program's arguments after --");
  std::string script;
  if (dashes == arguments.end()) {
    const auto study = launchers::study::read_plan(parsed.words.front());
    if (parsed.values.count("kubernetes") != 0)
      throw UsageError("slurm: --kubernetes runs ARGUMENTS, no study");
    if (study.launcher != launchers::Launcher::srun)
      throw UsageError(fmt::format("{}: a study in a Slurm job needs launcher = srun in its section [study]",
                                   study.file.string()));
    plan.command = {program, "study", std::filesystem::absolute(study.file).string()};
    script = cluster::study_script(plan);
  } else {
    plan.command = {program};
    plan.command.insert(plan.command.end(), dashes + 1, arguments.end());
    script = parsed.values.count("kubernetes") != 0 ? cluster::kubernetes_manifest(plan)
                                                    : cluster::sbatch_script(plan);
  }
  if (parsed.values.count("submit") != 0) {
    if (parsed.values.count("kubernetes") != 0)
      throw UsageError("slurm: --submit sends a batch script; for a manifest: kubectl apply -f -");
    submit(script, plan.name);
  }
  fmt::print("{}", script);
  return 0;
}

}  // namespace sparkmpi::cli
