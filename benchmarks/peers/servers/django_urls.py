"""The URLs of the Django site."""

from __future__ import annotations

from django.conf import settings
from django.urls import include, path
from rest_framework.decorators import api_view
from rest_framework.response import Response


@api_view(["GET"])
def hello(request) -> Response:
    """Say who asks."""
    return Response({"id": str(request.user.pk)})


urlpatterns = [path("hello", hello)]

if settings.IS_ALLAUTH:
    urlpatterns.append(path("_allauth/", include("allauth.headless.urls")))
else:
    from rest_framework_simplejwt import views

    urlpatterns += [
        path("token", views.TokenObtainPairView.as_view()),
        path("token/refresh", views.TokenRefreshView.as_view()),
        path("token/blacklist", views.TokenBlacklistView.as_view()),
    ]
