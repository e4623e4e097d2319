"""`cdk deploy` of a site with its own code: its own zip, and findings that stop that site only."""

from __future__ import annotations

import zipfile

from checkout import PROJECT


def test_only_the_site_with_hooks_carries_them_and_a_broken_one_is_left_out(tmp_path):
    import aws_cdk as cdk

    from infra.stacks.sites import add_sites

    sites = tmp_path / "sites"
    sites.mkdir()
    plain = (PROJECT / "sites" / "demo.yaml").read_text()
    for name, hooks in (("plain", None), ("own", "press"), ("broken", "absent")):
        text = plain.replace("name: demo\n", f"name: {name}\n").replace("demo-core", name)
        (sites / f"{name}.yaml").write_text(text + (f"hooks: {hooks}\n" if hooks else ""))
    (sites / "press.py").write_text("def transform(image):\n    return image\n")
    context = {"profiles": str(PROJECT / "device_profiles")}
    app = cdk.App(
        outdir=str(tmp_path / "out"),
        analytics_reporting=False,
        builtin_cloud_formation_validation=False,
        context=context,
    )

    found = add_sites(app, tmp_path)
    app.synth()

    assert [f.code for f in found if f.level == "error"] == ["FF001"]
    assert {stack.node.id for stack in app.node.children if isinstance(stack, cdk.Stack)} == {
        "plain",
        "plain-Cloud",
        "own",
        "own-Cloud",
    }
    zips = [set(zipfile.ZipFile(path).namelist()) for path in (tmp_path / "out").glob("*.zip")]
    code = [names for names in zips if "lambdas/inference/handler.py" in names]
    assert sorted("press.py" in names for names in code) == [False, True]
