"""Missing values are filled, known values stay."""

from __future__ import annotations

import numpy as np

from neoai_utils.tabular.imputation import median_fill_with_flags, regression_fill


def test_the_published_features(make_table) -> None:
    train, test = make_table(200, 0), make_table(50, 1)
    filled, filled_test = median_fill_with_flags(train, test)
    assert filled.shape[1] == filled_test.shape[1] == 25
    assert not filled.isna().any().any()
    assert not filled_test.isna().any().any()
    assert not {"feat_2", "minute_is_nan", "feat_0_is_nan", "feat_2_is_nan", "feat_3_is_nan"} & set(filled)
    gap = train["feat_1"].isna()
    np.testing.assert_array_equal(filled["feat_1_is_nan"], gap.astype(float))
    assert (filled.loc[gap, "feat_1"] == train["feat_1"].median()).all()
    assert (filled_test.loc[test["feat_1"].isna(), "feat_1"] == train["feat_1"].median()).all()
    assert (filled.loc[train["feat_0"].isna(), "feat_0_below_500"] == 0).all()


def test_regression_fills_what_the_others_tell(make_table) -> None:
    whole = make_table(800, 0, gaps=0.0)
    gaps = np.random.default_rng(1).random(whole.shape) < 0.1
    filled = regression_fill(whole.mask(gaps))
    np.testing.assert_allclose(filled.to_numpy()[~gaps], whole.to_numpy()[~gaps], rtol=0)
    assert np.abs(filled["feat_1"] - whole["feat_1"])[gaps[:, 1]].median() < 3
    spread = (whole["feat_1"] - whole["feat_1"].median()).abs()[gaps[:, 1]].median()
    assert spread > 50, "a median would be far off"


def test_columns_that_tell_nothing_are_filled(make_table) -> None:
    table = make_table(300, 0).assign(minute=30.0, feat_8=np.nan, feat_7=[5.0, *[np.nan] * 299])
    table.loc[::3, "minute"] = np.nan
    filled = regression_fill(table)
    assert list(filled.columns) == list(table.columns)
    assert not filled.isna().any().any()
    np.testing.assert_allclose(filled["minute"], 30.0)
    np.testing.assert_allclose(filled["feat_7"], 5.0)
    assert (filled["feat_8"] == 0).all()
    known = table.notna()
    np.testing.assert_array_equal(filled.where(known), table)


def test_a_constant_column_changes_no_other_fill(make_table) -> None:
    table = make_table(300, 0)
    more = regression_fill(table.assign(constant=7.0))
    np.testing.assert_allclose(more[table.columns], regression_fill(table), rtol=1e-6)


def test_the_published_features_of_other_sensors(make_table) -> None:
    table = make_table(50, 0).drop(columns=["feat_2", "feat_5", "feat_8"]).assign(feat_11=1.0)
    filled, _ = median_fill_with_flags(table, table)
    assert {"feat_11", "feat_0_below_500", "feat_7_above_1000"} <= set(filled)
    assert not {"feat_5_below_60", "feat_8_above_620"} & set(filled)
