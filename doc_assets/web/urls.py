"""The addresses of the desk."""

from allauth.account import views as accounts
from django.urls import include, path, register_converter
from django.urls.converters import IntConverter
from django.views.i18n import set_language

from doc_assets.web import (
    audit,
    case,
    compare,
    documents,
    entry,
    exports,
    faces,
    filters,
    groups,
    merchants,
    packages,
    pictures,
    printing,
    profile,
    queue,
    reports,
    search,
    search_result,
    static_files,
)
from doc_assets.web.api.metrics import metrics
from doc_assets.web.api.routes import api


class NumberConverter(IntConverter):
    """A number of a row; longer ones are none, and no database takes them."""

    regex = "[0-9]{1,15}"


register_converter(NumberConverter, "number")

handler400 = "doc_assets.web.problems.bad_request"
handler403 = "doc_assets.web.problems.refused"
handler404 = "doc_assets.web.problems.not_found"
handler500 = "doc_assets.web.problems.failed"

urlpatterns = [
    path("", queue.queue, name="queue"),
    path("next", queue.next_case, name="next_case"),
    path("cases/<number:case_id>", case.case, name="case"),
    path("cases/<number:case_id>/verdict", case.verdict, name="verdict"),
    path("cases/<number:case_id>/undo", case.undo, name="undo"),
    path("cases/<number:case_id>/comment", case.comment, name="comment"),
    path("cases/<number:case_id>/release", case.release, name="release"),
    path("cases/<number:case_id>/hold", case.hold, name="hold"),
    path("photos/<number:row_id>/<number:photo>/<number:side>.jpg", pictures.photo, name="photo"),
    path("pages/<number:row_id>/<number:number>.jpg", pictures.page, name="page"),
    path("search", search.search, name="search"),
    path("search/start", search.start, name="search_start"),
    path("searches", search.searches, name="searches"),
    path("searches/<number:number>", search_result.result, name="search_result"),
    path("searches/<number:number>/state", search.state, name="search_state"),
    path("searches/<number:number>/again", search.again, name="search_again"),
    path("searches/<number:number>/delete", search.delete, name="search_delete"),
    path(
        "searches/<number:number>/photos/<number:position>/<number:photo>.jpg",
        search_result.query_photo,
        name="query_photo",
    ),
    path(
        "searches/<number:number>/pages/<number:position>/<number:page>.jpg",
        search_result.query_page,
        name="query_page",
    ),
    path("audit", audit.audit, name="audit"),
    # what leaves the desk, and faces
    path("export.csv", exports.export, {"kind": "csv"}, name="export_csv"),
    path("export.xlsx", exports.export, {"kind": "xlsx"}, name="export_xlsx"),
    path("export.json", exports.export, {"kind": "json"}, name="export_json"),
    path("cases/<number:case_id>/print", printing.print_case, name="print_case"),
    path("cases/<number:case_id>/package.zip", packages.package, name="package"),
    path("cases/<number:case_id>/faces", faces.show_faces, name="show_faces"),
    path(
        "cases/<number:case_id>/photos/<number:row_id>/<number:photo>/<number:side>.jpg",
        faces.photo,
        name="photo_original",
    ),
    path("cases/<number:case_id>/pages/<number:row_id>/<number:number>.jpg", faces.page, name="page_original"),
    path("statistics", reports.reports, name="reports"),
    path("statistics/<str:period>", reports.report, name="report"),
    path("statistics/<str:period>/<str:file>", reports.report_file, name="report_file"),
    path("help", entry.help_page, name="help"),
    path("documents/<number:row_id>", documents.document, name="document"),
    path("merchants", merchants.merchant, name="merchant"),
    path("merchants/find", merchants.merchant_find, name="merchant_find"),
    path("groups/<number:group_id>", groups.group, name="group"),
    path("groups/<number:group_id>/preview", groups.group_preview, name="group_preview"),
    path("groups/<number:group_id>/decide", groups.group_decide, name="group_decide"),
    path("compare", compare.compare, name="compare"),
    path("compare/find", compare.compare_find, name="compare_find"),
    path("profile", profile.profile, name="profile"),
    path("profile/shortcuts", profile.shortcuts, name="shortcuts"),
    path("filters/save", filters.save, name="save_filter"),
    path("filters/<number:filter_id>/delete", filters.delete, name="delete_filter"),
    path("enter/<str:token>", entry.enter, name="enter"),
    path("healthz", entry.health, name="health"),
    path("language", set_language, name="set_language"),
    path("static/<path:path>", static_files.static_file, name="static"),
    path("api/v1/", api.urls),
    path("metrics", metrics, name="metrics"),
    path("accounts/login/", accounts.login, name="account_login"),
    path("accounts/logout/", accounts.logout, name="account_logout"),
    path("accounts/reauthenticate/", accounts.reauthenticate, name="account_reauthenticate"),
    path("accounts/password/change/", accounts.password_change, name="account_change_password"),
    path("accounts/2fa/", include("allauth.mfa.urls")),
    path("accounts/sessions/", include("allauth.usersessions.urls")),
]
