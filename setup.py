"""Find the packages; everything else about the distribution stands in pyproject.toml."""

from setuptools import find_packages, setup

FOLDERS = {
    "baryon": "platform/baryon",
    "baryon_climate": "plugins/climate/baryon_climate",
    "baryon_comm": "plugins/comm/baryon_comm",
    "baryon_conf": "conf",
    "baryon_hep": "plugins/hep/baryon_hep",
}

setup(
    package_dir=FOLDERS,
    packages=[
        name
        for package, folder in FOLDERS.items()
        for name in (package, *(f"{package}.{inner}" for inner in find_packages(folder)))
    ],
)
