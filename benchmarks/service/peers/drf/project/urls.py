"""The paths of the service."""

from blog.views import PostList, UserDetail
from django.urls import path

urlpatterns = [
    path("users/<uuid:pk>", UserDetail.as_view()),
    path("posts", PostList.as_view()),
]
