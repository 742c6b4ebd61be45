#include "process_usage.hpp"

#include <time.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>
#include <unordered_set>

namespace oslo::messaging::cli {
namespace {

std::string folder_of(pid_t process) {
  return "/proc/" + std::to_string(process);
}

/// Inodes of the established ones, as text.
std::unordered_set<std::string> established(const std::string& table) {
  std::unordered_set<std::string> inodes;
  std::ifstream file{table};
  std::string line;
  std::getline(file, line);  // the headings
  while (std::getline(file, line)) {
    // sl local remote st queues timer retransmits uid timeout inode
    std::istringstream words{line};
    std::string word, state;
    for (int i = 0; i < 10 && words >> word; ++i)
      if (i == 3) state = word;
    if (state == "01") inodes.insert(word);
  }
  return inodes;
}

}  // namespace

double cpu_seconds_of(pid_t process) {
  clockid_t clock{};
  timespec used{};
  int error = clock_getcpuclockid(process, &clock);
  if (error == 0 && clock_gettime(clock, &used) != 0) error = errno;
  if (error != 0)
    throw std::system_error{error, std::generic_category(),
                            "The CPU time of process " + std::to_string(process)};
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) * 1e-9;
}

std::uint64_t peak_memory_kib_of(pid_t process) {
  std::ifstream file{folder_of(process) + "/status"};
  std::string line;
  while (std::getline(file, line))
    if (line.starts_with("VmHWM:")) return std::stoull(line.substr(6));
  return 0;
}

std::size_t resident_bytes_of(pid_t process) {
  std::ifstream file{folder_of(process) + "/statm"};
  std::size_t all = 0, resident = 0;
  file >> all >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

std::size_t connections_of(pid_t process) {
  const std::string folder = folder_of(process);
  auto inodes = established(folder + "/net/tcp");
  inodes.merge(established(folder + "/net/tcp6"));
  std::size_t found = 0;
  std::error_code gone;
  for (const auto& entry : std::filesystem::directory_iterator{folder + "/fd", gone}) {
    const auto to = std::filesystem::read_symlink(entry.path(), gone).string();
    if (!gone && to.starts_with("socket:[")) found += inodes.contains(to.substr(8, to.size() - 9));
  }
  return found;
}

}  // namespace oslo::messaging::cli
