#pragma once
// A run as a job of a cluster: what a person would write by hand, readable and complete.

#include <string>
#include <vector>

#include "launchers/environment.hpp"

namespace sparkmpi::launchers::cluster {

struct JobPlan {
  std::string name = "sparkmpi";
  int nodes = 1;
  int ranks = 1;
  int gpus_per_task = 0;     ///< 0: none
  int cpus_per_task = 0;     ///< 0: the cluster's default
  std::string time;          ///< as Slurm takes it: "00:30:00"; empty: the cluster's default
  std::string partition;     ///< empty: the default one
  std::string mpi = "pmix";  ///< srun --mpi
  std::string container;     ///< image for pyxis (srun --container-image); empty: none
  std::string image;         ///< image of a Kubernetes job
  Argv command;              ///< the ranks' program and its arguments
  std::string directory;     ///< where the job runs
};

/// A POSIX shell script with #SBATCH lines. Throws UsageError for what a #SBATCH line can't hold.
std::string sbatch_script(const JobPlan& plan);

/// An MPIJob of kubeflow.org/v2beta1 (https://github.com/kubeflow/mpi-operator, README) as YAML: a launcher
/// with mpirun and one worker a node. Throws UsageError without an image.
std::string kubernetes_manifest(const JobPlan& plan);

/// A script that runs a study inside one allocation: its trials are started by srun from the first node.
std::string study_script(const JobPlan& plan);

}  // namespace sparkmpi::launchers::cluster
