#include "cli/charge_cell_command.hpp"

#include "cli/parse_options.hpp"
#include "kernels/charge/cell.hpp"

namespace sparkmpi::cli {

int charge_cell_command(const std::vector<std::string>& arguments) {
  namespace po = boost::program_options;
  kernels::charge::CellRequest request;
  po::options_description options;
  auto add = options.add_options();
  add("allocator", po::value(&request.allocator)->required(), "");
  add("bytes", po::value(&request.bytes)->required(), "");
  add("scratch", po::value(&request.scratch_file), "");
  add("device", po::value(&request.device)->required(), "");
  add(kernels::child::kParentOption.substr(2).data(), po::value<pid_t>()->required(), "");
  const ParsedOptions parsed = parse_options(arguments, options);
  kernels::child::ParentLink parent(parsed.values["parent"].as<pid_t>());
  return run_cell(request, parent);
}

}  // namespace sparkmpi::cli
