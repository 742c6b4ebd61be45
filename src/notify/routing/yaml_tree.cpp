#include "notify/routing/yaml_tree.hpp"

#ifdef OSLO_HAS_YAML
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <map>
#include <set>
#include <sstream>
#endif

namespace oslo::messaging::notify {

void yaml_fault(const std::string& file, std::size_t line, const std::string& what) {
  throw configuration_error(
      {errc::invalid_config, file + ":" + std::to_string(line) + ": " + what});
}

#ifdef OSLO_HAS_YAML

namespace {

std::size_t line_of(const YAML::Mark& m) {
  return m.line < 0 ? 1 : static_cast<std::size_t>(m.line) + 1;
}

/// Builds the tree from the events of the parser, so that nothing is made before it is counted.
class tree_builder final : public YAML::EventHandler {
 public:
  tree_builder(const std::string& file, const yaml_limits& limits) : file_(file), limits_(limits) {}

  std::shared_ptr<const yaml_value> root() const { return root_; }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& m, YAML::anchor_t anchor) override {
    add(fresh(yaml_value::kind::null, m), anchor);
  }
  void OnScalar(const YAML::Mark& m, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    check_tag(m, tag);
    auto v = fresh(yaml_value::kind::scalar, m);
    // Plain scalars have tag "?", quoted ones "!".
    if (tag == "?" &&
        (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL"))
      v->what = yaml_value::kind::null;
    v->text = text;
    add(std::move(v), anchor);
  }
  void OnAlias(const YAML::Mark& m, YAML::anchor_t anchor) override {
    const auto it = anchors_.find(anchor);
    if (it == anchors_.end())
      yaml_fault(file_, line_of(m), "an alias stands inside its own anchor.");
    count(m, it->second.size);
    place(it->second.what, it->second.size);
  }
  void OnSequenceStart(const YAML::Mark& m, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    check_tag(m, tag);
    open(fresh(yaml_value::kind::sequence, m), anchor, m);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& m, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    check_tag(m, tag);
    open(fresh(yaml_value::kind::map, m), anchor, m);
  }
  void OnMapEnd() override { close(); }

 private:
  using value_ptr = std::shared_ptr<yaml_value>;
  struct sized {
    std::shared_ptr<const yaml_value> what;
    std::size_t size;
  };
  struct level {
    value_ptr what;
    YAML::anchor_t anchor;
    std::size_t size = 1;
    std::shared_ptr<const yaml_value> key{};
    std::set<std::string, std::less<>> keys{};
  };

  void check_tag(const YAML::Mark& m, const std::string& tag) const {
    constexpr std::string_view plain = "tag:yaml.org,2002:";
    if (!tag.empty() && tag != "?" && tag != "!" && tag.compare(0, plain.size(), plain) != 0)
      yaml_fault(file_, line_of(m), "the tag " + tag.substr(0, 100) + " is not one of plain data.");
    if (tag.find("python/") != tag.npos)
      yaml_fault(file_, line_of(m), "the tag " + tag.substr(0, 100) + " is not one of plain data.");
  }
  void count(const YAML::Mark& m, std::size_t more) {
    if (more > limits_.values - values_)
      yaml_fault(file_, line_of(m),
                 "the file has more than " + std::to_string(limits_.values) + " values.");
    values_ += more;
  }
  value_ptr fresh(yaml_value::kind what, const YAML::Mark& m) {
    count(m, 1);
    auto v = std::make_shared<yaml_value>();
    v->what = what;
    v->line = line_of(m);
    return v;
  }
  void add(value_ptr v, YAML::anchor_t anchor) {
    if (anchor != YAML::NullAnchor) anchors_[anchor] = {v, 1};
    place(std::move(v), 1);
  }
  void open(value_ptr v, YAML::anchor_t anchor, const YAML::Mark& m) {
    if (levels_.size() >= limits_.depth)
      yaml_fault(file_, line_of(m),
                 "values are nested deeper than " + std::to_string(limits_.depth) + " levels.");
    levels_.push_back({std::move(v), anchor});
  }
  void close() {
    const auto done = std::move(levels_.back());
    levels_.pop_back();
    if (done.anchor != YAML::NullAnchor) anchors_[done.anchor] = {done.what, done.size};
    place(done.what, done.size);
  }
  void place(std::shared_ptr<const yaml_value> v, std::size_t size) {
    if (levels_.empty()) {
      root_ = std::move(v);
      return;
    }
    auto& into = levels_.back();
    into.size += size;
    if (into.what->what == yaml_value::kind::sequence) {
      into.what->items.push_back(std::move(v));
    } else if (!into.key) {
      if (v->what != yaml_value::kind::scalar)
        yaml_fault(file_, v->line, "a key has to be a text.");
      if (!into.keys.insert(v->text).second)
        yaml_fault(file_, v->line, "the key \"" + v->text.substr(0, 100) + "\" stands twice.");
      into.key = std::move(v);
    } else {
      into.what->pairs.emplace_back(std::move(into.key), std::move(v));
      into.key.reset();
    }
  }

  const std::string& file_;
  const yaml_limits limits_;
  std::shared_ptr<const yaml_value> root_ = std::make_shared<yaml_value>();
  std::vector<level> levels_;
  std::map<YAML::anchor_t, sized> anchors_;
  std::size_t values_ = 0;
};

}  // namespace

std::shared_ptr<const yaml_value> parse_yaml(std::string_view text, const std::string& file,
                                             const yaml_limits& limits) {
  if (text.size() > limits.bytes)
    throw configuration_error({errc::invalid_config, file + ": the file has more than " +
                                                         std::to_string(limits.bytes) + " bytes."});
  std::istringstream in{std::string(text)};
  try {
    YAML::Parser parser(in);
    tree_builder tree(file, limits);
    if (!parser.HandleNextDocument(tree)) return tree.root();
    tree_builder more(file, limits);
    if (parser.HandleNextDocument(more))
      throw configuration_error(
          {errc::invalid_config, file + ": the file holds more than one document."});
    return tree.root();
  } catch (const YAML::Exception& e) {
    yaml_fault(file, line_of(e.mark), e.msg + ".");
  }
}

#else

std::shared_ptr<const yaml_value> parse_yaml(std::string_view, const std::string& file,
                                             const yaml_limits&) {
  throw configuration_error(
      {errc::invalid_config, file + " cannot be read: this library was built without yaml-cpp."});
}

#endif

}  // namespace oslo::messaging::notify
