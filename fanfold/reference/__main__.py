"""`python -m fanfold.reference`: write docs/reference/ anew."""

from fanfold.reference import commands, json_page, v1_features

commands.PAGE.parent.mkdir(parents=True, exist_ok=True)
commands.PAGE.write_text(commands.page(), encoding="utf-8")
json_page.PAGE.write_text(json_page.page(), encoding="utf-8")
v1_features.PAGE.write_text(v1_features.page(), encoding="utf-8")
