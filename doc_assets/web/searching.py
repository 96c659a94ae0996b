"""Searches of the review desk from the files to their end: started, watched, and what they leave taken away."""

import logging
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from doc_assets.archive.ledger.desk_searches import DeskSearch
from doc_assets.archive.ledger.ledger import Ledger
from doc_assets.errors import DocAssetsError, ServiceError
from doc_assets.settings import Settings
from doc_assets.web.search_runs import LOST, TAGS, NoRuns, RunState, SearchRuns
from doc_assets.web.uploads import Reception, Uploads

REQUESTED_BY_TAG = "doc_assets/requested_by"
KEPT_FILES = "files"
"""Folder of a search's results with the files that are kept."""
EXPIRED = "Expired"
AWAY = "Away"
_STARTED_WITHIN = timedelta(minutes=1)
_WATCHED_EVERY_S = 2.0
_STRAYS_EVERY = 30
_log = logging.getLogger(__name__)


class Searches:
    """All searches of a desk.

    Args:
        settings: of the home.
        ledger: of it.
        runs: where they are carried out.
    """

    def __init__(self, settings: Settings, ledger: Ledger, runs: SearchRuns | None = None) -> None:
        self._settings, self._ledger = settings, ledger
        self.runs: SearchRuns = runs or NoRuns()
        self.uploads = Uploads(settings.uploads_dir, settings.desk_upload_max_bytes, settings.desk_upload_files)
        self._ending = threading.Lock()

    def room_for(self, person: str, n_files: int) -> bool:
        """Whether so many files more of this person may wait."""
        waiting = self._ledger.desk_searches.n_files_waiting(person)
        return waiting + n_files <= self._settings.desk_waiting_files

    def start(self, person: str, reception: Reception, now: datetime, *, keeps: bool) -> int:
        """Starts a search for the files of a request; returns its number."""
        searches = self._ledger.desk_searches
        number = searches.add(person, now, reception.folder, reception.files, keeps=keeps)
        reception.is_taken = True
        folder = self.uploads.folder(reception.folder)
        config = {
            "files": [str(folder / file.label) for file in reception.files],
            "requested_by": person,
            "privacy_mode": not keeps,
            "include_batch": False,
            "look_inside": True,
            "max_pages": self._settings.desk_upload_pages,
        }
        try:
            run_id = self.runs.launch(config, {**TAGS, REQUESTED_BY_TAG: person})
        except ServiceError as error:
            _log.error("search %d was not started: %s", number, error)
            self.uploads.remove(reception.folder)
            searches.end(number, now, f"{type(error).__name__}: {error}")
        else:
            searches.started(number, run_id)
        return number

    def state(self, search: DeskSearch, now: datetime) -> RunState:
        """How far a search is; when its run has ended, its files leave and the end is filed."""
        if search.ended_at is not None:
            return RunState("done") if search.failure is None else RunState("failed", failure=search.failure)
        state = self._run_state(search, now)
        if not state.has_ended:
            return state
        with self._ending:
            return self._end(search, state, now)

    def again(self, search: DeskSearch, reception: Reception) -> None:
        """Gives the kept files of a search to another one.

        Raises:
            FileNotFoundError: if one of them is not kept.
        """
        kept = self.result_folder(search) / KEPT_FILES
        files = self._ledger.desk_searches.files([search.number])[search.number]
        for file in files:
            reception.take(file.name, kept / file.label)

    def remove(self, search: DeskSearch) -> None:
        """Forgets a search: its files, its pictures and reports, and its rows."""
        self.uploads.remove(search.folder)
        if search.run_id is not None:
            shutil.rmtree(self.result_folder(search), ignore_errors=True)
        self._ledger.desk_searches.remove(search.number)

    def result_folder(self, search: DeskSearch) -> Path:
        """Where its result files are."""
        return self._settings.results_dir / (search.run_id or "none")

    def watch(self, now: datetime) -> None:
        """Files the end of every search whose run has ended, whether or not somebody looks at it."""
        for search in self._ledger.desk_searches.unended():
            self.state(search, now)

    def remove_strays(self) -> None:
        """Removes files that no search has: a desk that was killed while it took them in."""
        waiting = {search.folder for search in self._ledger.desk_searches.unended()}
        if n := self.uploads.remove_strays(waiting):
            _log.warning("%d folders of uploads belonged to no search and were removed", n)

    def _run_state(self, search: DeskSearch, now: datetime) -> RunState:
        if now - search.asked_at > timedelta(hours=self._settings.keep_uploads_hours):
            return RunState("failed", failure=f"{EXPIRED}: the run did not end in time.")
        if search.run_id is None:  # between its two rows, or the desk was killed there
            is_young = now - search.asked_at < _STARTED_WITHIN
            return RunState("queued") if is_young else RunState("failed", failure=f"{LOST}: no run was started.")
        try:
            return self.runs.state(search.run_id)
        except ServiceError as error:
            _log.warning("search %d: %s", search.number, error)
            return RunState("running", stage=AWAY)

    def _end(self, search: DeskSearch, state: RunState, now: datetime) -> RunState:
        """Puts the files away first: killed in between, this is done again."""
        has_result = search.run_id is not None and self._has_result(search.run_id)
        if search.keeps and has_result:
            self._keep_files(search)
        self.uploads.remove(search.folder)
        failure = None if has_result else state.failure or f"{LOST}: the run left no result."
        self._ledger.desk_searches.end(search.number, now, failure)
        return RunState("done") if failure is None else RunState("failed", failure=failure)

    def _has_result(self, run_id: str) -> bool:
        try:
            return self._ledger.searches.get(run_id).finished_at is not None
        except KeyError:
            return False

    def _keep_files(self, search: DeskSearch) -> None:
        target = self.result_folder(search) / KEPT_FILES
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in self.uploads.folder(search.folder).glob("*"):
            shutil.move(path, target / path.name)


@contextmanager
def watching(searches: Searches) -> Iterator[None]:
    """Watches searches in a thread while the block lasts; ends those that only this process carries out."""
    ended = threading.Event()

    def watch() -> None:
        rounds = 0
        while not ended.wait(_WATCHED_EVERY_S if rounds else 0):
            try:
                searches.watch(datetime.now(UTC))
                if rounds % _STRAYS_EVERY == 0:
                    searches.remove_strays()
            except (DocAssetsError, OSError):
                _log.exception("searches could not be watched; they are looked at again")
            rounds += 1

    searches.uploads.prepare()
    thread = threading.Thread(target=watch, name="searches-watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        searches.runs.close()
