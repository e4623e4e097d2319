"""`python -m fanfold.reference`: write docs/reference/ and the words of completion anew."""

from fanfold.reference import commands, json_page, v1_features, words

commands.PAGE.parent.mkdir(parents=True, exist_ok=True)
commands.PAGE.write_text(commands.page(), encoding="utf-8")
json_page.PAGE.write_text(json_page.page(), encoding="utf-8")
v1_features.PAGE.write_text(v1_features.page(), encoding="utf-8")
words.PAGE.write_text(words.page(), encoding="utf-8")
