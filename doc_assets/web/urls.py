"""The addresses of the desk."""

from django.urls import include, path
from django.views.i18n import set_language

from doc_assets.web import audit, case, entry, pictures, queue, static_files

urlpatterns = [
    path("", queue.queue, name="queue"),
    path("next", queue.next_case, name="next_case"),
    path("cases/<int:case_id>", case.case, name="case"),
    path("cases/<int:case_id>/verdict", case.verdict, name="verdict"),
    path("cases/<int:case_id>/undo", case.undo, name="undo"),
    path("cases/<int:case_id>/comment", case.comment, name="comment"),
    path("cases/<int:case_id>/release", case.release, name="release"),
    path("photos/<int:row_id>/<int:photo>/<int:side>.jpg", pictures.photo, name="photo"),
    path("pages/<int:row_id>/<int:number>.jpg", pictures.page, name="page"),
    path("audit", audit.audit, name="audit"),
    path("help", entry.help_page, name="help"),
    path("enter/<str:token>", entry.enter, name="enter"),
    path("healthz", entry.health, name="health"),
    path("language", set_language, name="set_language"),
    path("static/<path:path>", static_files.static_file, name="static"),
    path("accounts/", include("allauth.urls")),
]
