// The nearest thing to a Python traceback that C++ can give.
#include <cxxabi.h>

#include <boost/throw_exception.hpp>
#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

#include "rpc/exceptions.hpp"

namespace oslo::messaging::rpc {
namespace {

/// Exceptions nested deeper than this are left out.
constexpr int deepest = 16;

/// The line that ends a Python traceback.
std::string last_line(const remote_failure& f) {
  std::string line;
  if (!f.module.empty() && f.module != "builtins") line = f.module + '.';
  line += f.type;
  if (!f.message.empty()) line += ": " + f.message;
  return line += '\n';
}

/// The type of the exception that is being handled, as C++ spells it.
std::string current_type() {
  const auto* type = abi::__cxa_current_exception_type();
  if (type == nullptr) return "unknown";
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> text(
      abi::__cxa_demangle(type->name(), nullptr, nullptr, &status), &std::free);
  return text ? text.get() : type->name();
}

std::string location(const char* file, std::uint_least32_t line, const char* function) {
  return std::string("  File \"") + file + "\", line " + std::to_string(line) + ", in " + function +
         '\n';
}

/// What is known of the place, for a full traceback.
std::vector<std::string> origin(const std::exception_ptr& error, std::string_view place) {
  std::vector<std::string> lines{"Traceback (most recent call last):\n"};
  if (!place.empty()) lines.push_back("  In " + std::string(place) + '\n');
  try {
    std::rethrow_exception(error);
  } catch (const remote_exception& e) {
    lines.push_back(location(e.where().file_name(), e.where().line(), e.where().function_name()));
  } catch (const std::exception& e) {
    const auto where = boost::get_throw_location(e);
    if (where.line() != 0)
      lines.push_back(location(where.file_name(), where.line(), where.function_name()));
    lines.push_back("  Thrown as " + current_type() + '\n');
  } catch (...) {
    lines.push_back("  Thrown as " + current_type() + '\n');
  }
  return lines;
}

std::exception_ptr nested_in(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    const auto* nested = dynamic_cast<const std::nested_exception*>(&e);
    return nested != nullptr ? nested->nested_ptr() : nullptr;
  } catch (...) {
    return nullptr;
  }
}

void append(std::vector<std::string>& out, const remote_failure& f, const std::exception_ptr& error,
            bool full, const exception_table* table, std::string_view place, int depth) {
  if (const auto cause = nested_in(error); cause && depth < deepest) {
    append(out, describe(cause, table), cause, full, table, {}, depth + 1);
    if (full)
      out.push_back("\nThe above exception was the direct cause of the following exception:\n\n");
  }
  if (!f.traceback.empty()) {  // a peer's
    const auto begin = full ? f.traceback.begin() : f.traceback.end() - 1;
    out.insert(out.end(), begin, f.traceback.end());
    return;
  }
  if (full)
    for (auto& line : origin(error, place)) out.push_back(std::move(line));
  out.push_back(last_line(f));
}

}  // namespace

void add_traceback(remote_failure& f, const std::exception_ptr& error, tracebacks length,
                   const exception_table* table, std::string_view place) noexcept {
  try {
    std::vector<std::string> lines;
    if (length != tracebacks::off)
      append(lines, f, error, length == tracebacks::full, table, place, 0);
    f.traceback = std::move(lines);
  } catch (const std::bad_alloc&) {
    f.traceback.clear();
  }
}

}  // namespace oslo::messaging::rpc
