"""`python -m fanfold.reference`: write docs/reference/ anew."""

from fanfold.reference import commands, json_page

commands.PAGE.parent.mkdir(parents=True, exist_ok=True)
commands.PAGE.write_text(commands.page(), encoding="utf-8")
json_page.PAGE.write_text(json_page.page(), encoding="utf-8")
