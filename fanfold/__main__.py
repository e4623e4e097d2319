"""`python -m fanfold`, the same as the `fanfold` script."""

from fanfold.main import main

if __name__ == "__main__":
    raise SystemExit(main())
