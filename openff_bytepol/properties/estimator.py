"""Properties of a liquid from nothing but its composition and a force field."""

from __future__ import annotations

import json
import logging
import time as clock
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from openff_bytepol.exceptions import (
    DataError,
    ObservablesError,
    PropertyError,
    SimulationError,
)
from openff_bytepol.properties.catalogue import PROPERTIES, Legs, analyse, legs_needed
from openff_bytepol.properties.checks import check_phases
from openff_bytepol.properties.dataset import liquid_range_warning
from openff_bytepol.properties.estimation import Estimation
from openff_bytepol.properties.folder import claim, locked, require_parquet, write_text
from openff_bytepol.properties.force_fields import POLARIZABLE, Parameters
from openff_bytepol.properties.gas import build_gas, gas_wavenumbers, simulate_gas
from openff_bytepol.properties.legs import STRESSED, TRANSPORTED, LiquidLeg
from openff_bytepol.properties.liquid import PRODUCED
from openff_bytepol.properties.observables import Observables
from openff_bytepol.properties.planning import Speed
from openff_bytepol.properties.production import OnProgress, ShouldStop
from openff_bytepol.properties.request import Request, parse_budget, parse_time
from openff_bytepol.properties.results import PropertyEstimate
from openff_bytepol.properties.state import State
from openff_bytepol.properties.statistics import production
from openff_bytepol.properties.substance import Substance

if TYPE_CHECKING:
    from openff.toolkit import ForceField

RESULTS_FILE: Final = "results.json"
_LOOK: Final = 0.1
"""Fraction of the time between looks at targets."""

logger = logging.getLogger(__name__)


def estimate(
    properties: str | Iterable[str],
    substance: str | Iterable[str] | Substance,
    state: State | None = None,
    force_field: str | Path | ForceField | Parameters = POLARIZABLE,
    *,
    n_molecules: int = 500,
    time: str | float = 1000.0,
    output: str | Path | None = None,
    targets: Mapping[str, float] | None = None,
    budget: str | float | None = None,
    overwrite: bool = False,
    report: bool = True,
    on_progress: OnProgress = lambda _: None,
    **options: Any,
) -> Estimation:
    """Simulate a liquid and estimate its properties, with errors.

    The liquid is packed, minimised, equilibrated and simulated once for all properties;
    one molecule in vacuum, pure components and a run at constant volume are added where a
    property needs them. Everything is saved every minute: the same call goes on where an
    earlier one stopped, however it ended, and a longer ``time`` or more properties go on
    from what is there.

    Parameters
    ----------
    properties
        Names, see `openff_bytepol.properties.catalogue.PROPERTIES`.
    substance
        SMILES, several with mole fractions, or salts by molality; see `Substance.parse`.
    state
        Temperature (K) and pressure (atm); 298.15 K and 1 atm by default.
    force_field
        Name or path of any SMIRNOFF force field, or a ``ForceField``.
    n_molecules
        In the liquid.
    time
        Of production: ps, or text such as "1ns".
    output
        Folder that keeps everything; a temporary one, with no way to resume, by default.
    targets
        Standard error at which to stop before ``time``, by property, in its unit.
    budget
        Wall time for this call: s, or text such as "8h". When it is used up, the run is saved
        and what there is is analysed.
    overwrite
        Replace a run with other settings in the same folder.
    report
        Write an HTML report and a Parquet file of the samples into the folder.
    on_progress
        Called every few seconds of a run.
    **options
        Other fields of `openff_bytepol.properties.request.Request`.

    Returns
    -------
    Estimation
        Estimates by property; properties that could not be estimated, with the reason.

    Raises
    ------
    DataError, PropertyError, CompositionError, ChemistryError, ForceFieldError, CutoffError
        If the request makes no sense or cannot be simulated.
    TimeBudgetError
        If the budget is too short for anything useful, by a timed trial.
    UnphysicalLiquidError
        If the liquid boils or separates: there are no numbers then.
    SimulationError, StorageError
        If the run broke off; the same call goes on from the last checkpoint.
    RunLockedError, OutputExistsError
        If the folder is in use, or holds something else.

    Examples
    --------
    >>> result = estimate("density", "CCO", State(298.15), "bytepol-fixed.offxml", time="200ps")
    >>> print(result["density"])
    """
    try:
        request = Request(
            properties=(properties,) if isinstance(properties, str) else tuple(properties),
            substance=Substance.parse(substance),
            state=State() if state is None else state,
            n_molecules=n_molecules,
            time=parse_time(time),
            targets=dict(targets or {}),
            budget=None if budget is None else parse_budget(budget),
            **options,
        )
    except ValidationError as error:
        raise DataError(f"the request makes no sense: {error}") from error
    if report and output is not None:
        require_parquet()
    parameters = Parameters.load(force_field)
    with ExitStack() as stack:
        if output is None:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="bytepol-")))
        else:
            folder = Path(output)
        stack.enter_context(locked(folder))
        claim(folder, request.identity(parameters.sha256), overwrite=overwrite)
        run = _Run(request, parameters, folder, on_progress)
        try:
            found = run.estimation(keep=output is not None)
        except SimulationError as error:
            failed = {"status": "failed", "error": type(error).__name__, "reason": str(error)}
            write_text(folder / RESULTS_FILE, json.dumps(failed, indent=2) + "\n")
            raise
        write_text(folder / RESULTS_FILE, found.to_json() + "\n")
        if report and output is not None:
            from openff_bytepol.properties.report import write_report, write_samples

            write_samples(folder, run.legs)
            write_report(folder, found, run.legs)
    return found


class _Run:
    """The simulations and analyses of one request in one folder."""

    def __init__(
        self, request: Request, parameters: Parameters, folder: Path, on_progress: OnProgress
    ) -> None:
        self.legs = Legs()
        self._request = request
        self._parameters = parameters
        self._folder = folder
        self._on_progress = on_progress
        self._begin = clock.monotonic()
        self._notes: list[str] = []
        self._speed: Speed | None = None

    def estimation(self, *, keep: bool) -> Estimation:
        """Simulate what is needed, and analyse."""
        request, needs = self._request, legs_needed(self._request.properties)
        warning = liquid_range_warning(request.substance, request.state)
        if warning is not None:
            logger.warning("%s", warning)
            self._notes.append(warning)
        if "gas" in needs:
            self._simulate_gas()
        liquid = self._leg("liquid", request.substance)
        self.legs.liquid = self._produce(liquid)
        if "pure" in needs:
            for index, smiles in enumerate(request.substance.species()):
                leg = self._leg(f"pure-{index}", Substance.parse(smiles))
                self.legs.pure.append(self._produce(leg))
        if "modes" in needs:
            self._find_modes()
        if "stress" in needs:
            self.legs.stress = self._at_fixed_volume(STRESSED, liquid, self.legs.liquid)
        if "transport" in needs:
            self.legs.transport = self._at_fixed_volume(TRANSPORTED, liquid, self.legs.liquid)
        if "flow" in needs:
            self.legs.acceleration = request.acceleration
            self.legs.flow = self._at_fixed_volume(liquid.flow_stage, liquid, self.legs.liquid)
        estimates, failures = self._analyse()
        simulated = liquid.data()
        return Estimation(
            substance=request.substance,
            state=request.state,
            force_field=self._parameters.name,
            force_field_sha256=self._parameters.sha256,
            counts={kind.smiles: kind.count for kind in liquid.box.kinds},
            estimates=estimates,
            failures=failures,
            notes=tuple(self._notes),
            production_ps=float(simulated.times[-1]),
            cost=self._cost(),
            folder=self._folder if keep else None,
        )

    def _cost(self) -> dict[str, Any]:
        """Of this call and earlier ones that came to their end."""
        cost: dict[str, Any] = {}
        path = self._folder / RESULTS_FILE
        if path.is_file():
            cost = json.loads(path.read_text("utf-8")).get("cost", {})
        cost["wall_seconds"] = cost.get("wall_seconds", 0.0) + clock.monotonic() - self._begin
        if self._speed is not None:
            cost["platform"] = self._speed.platform
            cost["ns_per_day"] = self._speed.ns_per_day
            cost["atoms"] = self._speed.n_atoms
        return cost

    def _simulate_gas(self) -> None:
        request = self._request
        frames = simulate_gas(
            self._folder / "gas-0",
            request.substance.molecules(1)[0][0],
            self._parameters,
            temperature=request.state.temperature,
            duration=request.gas_leg_time,
            engine=request.engine(),
            on_progress=self._on_progress,
        )
        self.legs.gas = production(frames)

    def _find_modes(self) -> None:
        """Vibrations of every component, or a note why there are none."""
        molecules, _ = self._request.substance.molecules(self._request.n_molecules)
        for index, molecule in enumerate(molecules):
            folder = self._folder / f"gas-{index}"
            build_gas(folder, molecule, self._parameters)
            try:
                self.legs.modes.append(gas_wavenumbers(folder))
            except SimulationError as error:
                self.legs.modes.clear()
                self._notes.append(f"no quantum correction: {molecule.name}: {error}")
                return

    def _leg(self, name: str, substance: Substance) -> LiquidLeg:
        leg = LiquidLeg.prepare(
            self._folder / name, substance, self._request, self._parameters, self._on_progress
        )
        speed = leg.trial()
        if speed is not None and self._speed is None:
            self._speed = speed
            logger.info("%s", speed)
        return leg

    def _produce(self, leg: LiquidLeg) -> Observables:
        def look() -> Legs:
            return Legs(liquid=production(leg.data()), gas=self.legs.gas)

        is_main = leg.folder.name == "liquid"
        self._note(leg, leg.produce(self._should_stop(look if is_main else None)))
        data = production(leg.data(PRODUCED))
        check_phases(data)
        return data

    def _at_fixed_volume(self, stage: str, leg: LiquidLeg, liquid: Observables) -> Observables:
        def look() -> Legs:
            data = leg.data(stage)
            if stage == STRESSED:
                return Legs(liquid=liquid, stress=data)
            if stage == leg.flow_stage:
                return Legs(liquid=liquid, flow=data, acceleration=self._request.acceleration)
            return Legs(liquid=liquid, transport=data, stress=self.legs.stress)

        self._note(leg, leg.at_fixed_volume(stage, liquid, self._should_stop(look)))
        return leg.data(stage)

    def _note(self, leg: LiquidLeg, reason: str | None) -> None:
        if reason is not None:
            self._notes.append(f"{leg.folder.name}: {reason}")

    def _should_stop(self, look: Callable[[], Legs] | None) -> ShouldStop:
        """Ask for the time used, and at every tenth of the run for the targets."""
        request = self._request
        looks = 0

        def should_stop(time: float) -> str | None:
            nonlocal looks
            used = clock.monotonic() - self._begin
            if request.budget is not None and used > request.budget:
                return f"stopped at {time:g} ps of {request.time:g} ps: the budget is used up"
            if look is None or not request.targets or time < (looks + 1) * _LOOK * request.time:
                return None
            looks = int(time / (_LOOK * request.time) + 1e-9)
            if self._targets_met(look):
                return f"stopped at {time:g} ps: the target uncertainties are reached"
            return None

        return should_stop

    def _targets_met(self, look: Callable[[], Legs]) -> bool:
        """Whether every target that the legs can tell of is reached, and there is one."""
        targets = self._request.targets
        try:
            legs = look()
            told = [name for name in targets if PROPERTIES[name].needs <= legs.available()]
            errors = [(e.uncertainty, targets[n]) for n in told for e in analyse(n, legs).values()]
        except (PropertyError, ObservablesError):
            return False
        return bool(errors) and all(error <= target for error, target in errors)

    def _analyse(self) -> tuple[dict[str, PropertyEstimate], dict[str, str]]:
        estimates: dict[str, PropertyEstimate] = {}
        failures: dict[str, str] = {}
        for name in self._request.properties:
            try:
                estimates |= analyse(name, self.legs)
            except (PropertyError, ObservablesError) as error:
                failures[name] = str(error)
        return estimates, failures
