from hwgen.problem import Problem


def test_a_problem_says_where_what_must_hold_what_came_and_what_to_do():
    plain = Problem("q", "scale must be positive", "0")
    assert str(plain) == "q: scale must be positive, not 0"
    assert str(Problem("q", "scale must be positive", "0", "retrain")) == f"{plain}; retrain"
