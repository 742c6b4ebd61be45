#include <boost/describe/class.hpp>
#include <functional>
#include <memory>
#include <oslo/messaging/convert.hpp>
#include <variant>
#include <vector>

namespace om = oslo::messaging;

struct point {
  int x = 0, y = 0;
};
#if defined(forgotten_member) || defined(forgotten_member_of_a_member)
BOOST_DESCRIBE_STRUCT(point, (), (x))
#else
BOOST_DESCRIBE_STRUCT(point, (), (x, y))
#endif

struct unknown {};

/// What the check must not take for a member too many.
struct everything {
  std::optional<int> a{};
  om::value b{};
  std::vector<point> c{};
  std::array<int, 3> d{};
  std::optional<om::value> e{};
  point f{};
  std::pair<int, std::string> g{};
};
BOOST_DESCRIBE_STRUCT(everything, (), (a, b, c, d, e, f, g))

struct base {
  int x = 0;
  int not_sent = 0;
};
struct derived : base {
  int y = 0;
};
BOOST_DESCRIBE_STRUCT(derived, (), (y))  // a base is left out on purpose

struct other_base {
  int z = 0;
};
BOOST_DESCRIBE_STRUCT(base, (), (x, not_sent))
BOOST_DESCRIBE_STRUCT(other_base, (), (z))
/// A base takes one initialiser, whatever its members are; a member of its type takes one, too.
struct derived_twice : base, other_base {
  base b{};
  int last = 0;
};
#if defined(forgotten_member_of_a_derived_type)
BOOST_DESCRIBE_STRUCT(derived_twice, (base, other_base), ())
#else
BOOST_DESCRIBE_STRUCT(derived_twice, (base, other_base), (b, last))
#endif
struct derived_without_more : base {};
BOOST_DESCRIBE_STRUCT(derived_without_more, (base), ())

class with_constructor {
 public:
  with_constructor() {}
  int x = 0;
  int cache = 0;
};
BOOST_DESCRIBE_STRUCT(with_constructor, (), (x))

/// Arrays of C take an initialiser for each element.
struct text_of_fixed_length {
  char text[8] = "";
  int n = 0;
  char more[3] = "";
};
#if defined(forgotten_member_beside_an_array)
BOOST_DESCRIBE_STRUCT(text_of_fixed_length, (), (text, more))
#elif defined(forgotten_array)
BOOST_DESCRIBE_STRUCT(text_of_fixed_length, (), (text, n))
#else
BOOST_DESCRIBE_STRUCT(text_of_fixed_length, (), (text, n, more))
#endif

struct long_text {
  char text[1025] = "";
};
BOOST_DESCRIBE_STRUCT(long_text, (), (text))

struct outer {
  int a = 0;
  std::vector<std::optional<point>> points{};
#if defined(member_of_an_unknown_type)
  unknown other{};
};
BOOST_DESCRIBE_STRUCT(outer, (), (a, points, other))
#else
};
BOOST_DESCRIBE_STRUCT(outer, (), (a, points))
#endif

void used() {
  om::to_json(everything());
  om::from_json<everything>("{}");
  om::from_json<derived>("{}");
  om::from_json<derived_twice>("{}");
  om::from_json<derived_without_more>("{}");
  om::from_json<with_constructor>("{}");
  om::to_json(text_of_fixed_length());
  om::to_json(long_text());
#if defined(forgotten_member)
  om::to_json(point());
#elif defined(result_of_an_unknown_type)
  om::from_json<std::vector<unknown>>("{}");
#endif
  om::from_json<outer>("{}");
}
